import { CORE_SCHEMA, load, mergeTag, YAMLException } from 'js-yaml';
import { badRequest, entityTooLarge } from '../resources/api-error.ts';
import { checkParsed, MAX_DEPTH, type ParsedJson, parseJson } from '../schema/parse-json.ts';

const SCHEMA = CORE_SCHEMA.withTags(mergeTag);

/**
 * Parses a body that is declared as YAML, which JSON is too. Throws 400 for what is neither or has no place in JSON, and
 * 413 when aliases make more than `limit` characters of it.
 */
export function parseYaml(text: string, limit: number): ParsedJson {
  try {
    return parseJson(text); // what kubectl sends, whatever it calls it
  } catch {
    // Not JSON, so YAML.
  }
  const value = parse(text);
  checkExpansion(value, limit);
  checkParsed(value);
  return { value, duplicates: [] };
}

function parse(text: string): unknown {
  try {
    return load(text, { schema: SCHEMA, maxDepth: MAX_DEPTH });
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${reasonOf(error)}`);
  }
}

/** Without the lines around it, which may be the whole body. */
function reasonOf(error: unknown): string {
  if (!(error instanceof YAMLException)) return String(error);
  return error.mark ? `yaml: line ${error.mark.line + 1}: ${error.reason}` : `yaml: ${error.reason}`;
}

/** Walks over all that aliases stand for, until it is too much: an alias may even lead back to itself. */
function checkExpansion(value: unknown, limit: number): void {
  let size = 0;
  const waiting = [value];
  while (waiting.length > 0) {
    const item = waiting.pop();
    size += typeof item === 'string' ? item.length : 1;
    if (typeof item === 'number' && !Number.isFinite(item))
      throw badRequest(`error converting YAML to JSON: ${item} is no number that JSON has`);
    if (typeof item === 'object' && item !== null) {
      for (const [key, child] of Object.entries(item)) {
        size += Array.isArray(item) ? 0 : key.length;
        waiting.push(child);
      }
    }
    if (size + waiting.length > limit) throw entityTooLarge(`limit is ${limit}`);
  }
}
