import { pino } from 'pino';
import { startControllers } from '../../../hub/controllers/start-controllers.ts';
import { until } from '../../support/until.ts';
import { startHub, type TestHub } from './test-hub.ts';

export const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

type Json = Record<string, unknown>;

/** A schema for objects with these properties. */
export function objectOf(properties: Json, more: Json = {}): Json {
  return { type: 'object', properties, ...more };
}

/** A definition of one version, `v1` of `example.com`, with what a test is about. */
export function definitionOf(kind: string, schema: Json, version: Json = {}, spec: Json = {}): Json {
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, kind },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version },
      ],
      ...spec,
    },
  };
}

/** A hub with its controllers. */
export async function startCustomHub(t: Parameters<typeof startHub>[0]): Promise<TestHub> {
  const hub = await startHub(t);
  const controllers = startControllers({ registry: hub.registry, log: pino({ level: 'silent' }) });
  t.teardown(() => controllers.stop());
  return hub;
}

/** Creates a definition and waits until it is served. */
export async function define(hub: TestHub, definition: Json): Promise<void> {
  const { code, text } = await hub.call('POST', DEFINITIONS, { body: definition });
  if (code !== 201) throw new Error(`the definition was refused: ${text}`);
  const { name } = definition['metadata'] as { name: string };
  await until(`${name} is established`, async () => {
    const { body } = await hub.call('GET', `${DEFINITIONS}/${name}`);
    return body.status?.conditions?.some(
      (each: { type: string; status: string }) => each.type === 'Established' && each.status === 'True',
    );
  });
}
