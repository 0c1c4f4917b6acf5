import { PassThrough, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import { digestOfTag, digestTag } from './digest-tag.ts';
import type { DockerConnection } from './docker-connection.ts';
import { runtimeError } from './docker-errors.ts';
import { INFRA_COMMAND, INFRA_IMAGE, infraRoot } from './infra-image.ts';
import { itemsOf } from './json-items.ts';
import { linesOf } from './lines.ts';
import {
  type FoundImage,
  type PullOptions,
  type PullSecret,
  RuntimeError,
  type StoredImage,
} from './runtime.ts';

/** As engines take them. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

/** Where images come from besides the engine, and with what it may ask for them. */
export interface ImageSources {
  /** Gets an image without the engine, or not: then why not, if somebody was asked. */
  readonly pullFirst?:
    | ((image: string, options: PullOptions) => Promise<{ isHad: boolean; reason?: string }>)
    | undefined;
  /** With what the engine may ask for an image, the best first. */
  readonly credentials?:
    | ((image: string, secrets: readonly PullSecret[]) => Promise<readonly RegistryCredentials[]>)
    | undefined;
}

/** Where engines keep an image, as far as they say. */
interface Stored {
  readonly GraphDriver?: {
    readonly Name?: string;
    readonly Data?: { readonly UpperDir?: string; readonly LowerDir?: string } | null;
  };
}

/** The images of an engine. Methods: as those of the Runtime. */
export class DockerImages {
  readonly #engine: DockerConnection;
  readonly #sources: ImageSources;
  #infraImage: Promise<string> | undefined;

  constructor(engine: DockerConnection, sources: ImageSources) {
    this.#engine = engine;
    this.#sources = sources;
  }

  async find(image: string): Promise<FoundImage | undefined> {
    const found = await this.#byName(image);
    if (!found) return undefined;
    const { Id: id, RepoDigests, RepoTags, Size: sizeBytes } = found;
    const tagged = (RepoTags ?? []).flatMap((tag) => digestOfTag(tag) ?? []);
    return { id, digests: [...(RepoDigests ?? []), ...tagged], sizeBytes };
  }

  async userOf(image: string): Promise<string> {
    return (await this.#required(image)).Config?.User ?? '';
  }

  async layersOf(image: string): Promise<readonly string[]> {
    const { GraphDriver: { Name = 'something else', Data } = {} } = (await this.#required(image)) as Stored;
    if (Data?.UpperDir) return [Data.UpperDir, ...(Data.LowerDir?.split(':') ?? [])];
    throw new RuntimeError(
      'other',
      `volumes can be made of images where the engine keeps them as overlay2 or overlay: it keeps "${image}" as ${Name}`,
    );
  }

  async #required(image: string): Promise<Docker.ImageInspectInfo> {
    const found = await this.#byName(image);
    if (found) return found;
    throw new RuntimeError('image-absent', `inspect image "${image}": no such image`);
  }

  /** By its tag where an engine does not know it by its digest. */
  async #byName(image: string): Promise<Docker.ImageInspectInfo | undefined> {
    const byTag = digestTag(image);
    return (await this.#inspectImage(image)) ?? (byTag ? await this.#inspectImage(byTag) : undefined);
  }

  async list(): Promise<StoredImage[]> {
    const [images, containers] = await this.#engine.call('list images', () =>
      Promise.all([this.#engine.docker.listImages(), this.#engine.docker.listContainers({ all: true })]),
    );
    const used = new Set(containers.map(({ ImageID }) => ImageID));
    return images.map(({ Id: id, RepoTags, RepoDigests, Size: sizeBytes }) => ({
      ...{ id, sizeBytes, isUsed: used.has(id) },
      names: namesOf(RepoTags, RepoDigests),
    }));
  }

  async *listNames(): AsyncGenerator<Pick<StoredImage, 'names' | 'sizeBytes'>> {
    const stream = await this.#engine.call('list images', () => this.#engine.openStream('/images/json?', {}));
    for await (const image of itemsOf(stream)) {
      const { RepoTags, RepoDigests, Size: sizeBytes } = image as Docker.ImageInfo;
      yield { names: namesOf(RepoTags, RepoDigests), sizeBytes };
    }
  }

  /** As this program gets it; and where the engine must, through that. */
  async pull(image: string, options: PullOptions): Promise<void> {
    const { isHad, reason } = (await this.#sources.pullFirst?.(image, options)) ?? { isHad: false };
    if (isHad) return;
    try {
      await this.#pullThroughEngine(image, options.secrets);
    } catch (error) {
      if (!reason || !(error instanceof RuntimeError)) throw error;
      throw new RuntimeError(error.kind, `${error.message}; ${reason}`);
    }
  }

  async #pullThroughEngine(image: string, secrets: readonly PullSecret[]): Promise<void> {
    const found = secrets.length > 0 ? await this.#sources.credentials?.(image, secrets) : undefined;
    const [first, ...others] = found ?? [];
    let refusal = await this.#refusalOf(image, first);
    for (const next of others) if (refusal) refusal = await this.#refusalOf(image, next);
    if (refusal) throw refusal;
  }

  /** Other credentials may be right where these are not. */
  async #refusalOf(
    image: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<RuntimeError | undefined> {
    try {
      await this.#pullWith(image, credentials);
      return undefined;
    } catch (error) {
      if (error instanceof RuntimeError && error.kind === 'image-denied') return error;
      throw error;
    }
  }

  async #pullWith(image: string, authconfig: RegistryCredentials | undefined): Promise<void> {
    const what = `pull image "${image}"`;
    const progress = await this.#engine.call(what, () =>
      this.#engine.docker.pull(withTag(image), authconfig ? { authconfig } : {}),
    );
    for await (const line of linesOf(progress as Readable)) {
      const { error } = parseProgress(line);
      if (error) throw runtimeError(what, { message: error });
    }
  }

  async remove(image: string): Promise<void> {
    const byTag = digestTag(image);
    const tags = (await this.#inspectImage(image))?.RepoTags ?? [];
    const others = tags.filter((tag) => tag !== withTag(image));
    // What only says of what digest it is keeps it for nobody.
    const isLast = others.every((tag) => digestOfTag(tag) !== undefined);
    const statusCodes = [404, 409];
    for (const name of new Set([image, ...(byTag ? [byTag] : []), ...(isLast ? others : [])])) {
      try {
        await this.#engine.docker.getImage(name).remove();
      } catch (error) {
        if (!statusCodes.includes((error as { statusCode?: number }).statusCode ?? 0))
          throw runtimeError(`remove image "${image}"`, error);
      }
    }
  }

  infraImage(): Promise<string> {
    this.#infraImage ??= this.#importInfraImage().catch((error: unknown) => {
      this.#infraImage = undefined;
      throw error;
    });
    return this.#infraImage;
  }

  /** Somebody has removed an image, perhaps this one: whoever needs it next looks. */
  forgetInfraImage(): void {
    this.#infraImage = undefined;
  }

  async #inspectImage(image: string): Promise<Docker.ImageInspectInfo | undefined> {
    try {
      return await this.#engine.call('inspect image', () => this.#engine.docker.getImage(image).inspect());
    } catch (error) {
      if (error instanceof RuntimeError && (error.kind === 'image-absent' || error.kind === 'gone'))
        return undefined;
      throw error;
    }
  }

  async #importInfraImage(): Promise<string> {
    if (await this.find(INFRA_IMAGE)) return INFRA_IMAGE;
    const changes = `CMD ${JSON.stringify(INFRA_COMMAND)}`;
    await this.#engine.call('import the infra image', async () => {
      const source = PassThrough.from([infraRoot()]);
      // With its tag: Podman does not look at one that is told apart.
      const answer = await this.#engine.docker.importImage(source, { repo: INFRA_IMAGE, changes } as object);
      for await (const _ of answer as AsyncIterable<unknown>);
    });
    return INFRA_IMAGE;
  }
}

/** Without a tag the engine would pull every tag there is. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.includes(':') || name.includes('@') ? image : `${image}:latest`;
}

function parseProgress(line: string): { error?: string } {
  try {
    return JSON.parse(line) as { error?: string };
  } catch {
    return {};
  }
}

/** None of what lost its names to another. */
function namesOf(tags: readonly string[] | undefined, digests: readonly string[] | undefined): string[] {
  return [...(tags ?? []), ...(digests ?? [])].filter((name) => !name.includes('<none>'));
}
