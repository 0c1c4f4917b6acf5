import { unknownPath } from '../resources/api-error.ts';
import type { Exchange } from './exchange.ts';
import { sendText } from './reply.ts';

/** `/metrics`, in Prometheus' text format. */
export async function metrics({ context, response }: Exchange): Promise<void> {
  if (!context.metrics) throw unknownPath();
  sendText(response, 200, await context.metrics.text(), context.metrics.contentType);
}
