import { unknownPath } from '../resources/api-error.ts';
import type { Exchange } from './exchange.ts';

export function serveOpenApi(_exchange: Exchange, _segments: readonly string[]): void {
  throw unknownPath();
}
