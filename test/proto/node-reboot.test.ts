import t from 'tap';
import { encodeRebootRequest, REBOOT_ANNOTATION, rebootRequestOf } from '../../proto/node-reboot.ts';

const annotated = (text: string) => ({ metadata: { annotations: { [REBOOT_ANNOTATION]: text } } });

t.test('a request is read as it was written, and what is none is nothing', async (t) => {
  const request = { id: 'a-1', at: '2026-01-01T00:00:00Z', until: '2026-01-01T00:05:00Z', bootId: 'b' };
  t.same(rebootRequestOf(annotated(encodeRebootRequest(request))), request);
  const least = '{"id":"x","until":"2026-01-01T00:05:00Z"}';
  t.match(rebootRequestOf(annotated(least)), { id: 'x' }, 'as somebody writes it by hand');
  t.equal(rebootRequestOf({}), undefined);
  const wrong = [
    '',
    'yes',
    'null',
    '[]',
    '{}',
    '{"id":"x"}',
    '{"id":"x","until":"soon"}',
    '{"id":"","until":"2026-01-01T00:05:00Z"}',
    '{"id":"a b","until":"2026-01-01T00:05:00Z"}',
    '{"id":"x","until":"2026-01-01T00:05:00Z","at":1}',
    '{"id":"x","until":"2026-01-01T00:05:00Z","bootId":1}',
  ];
  for (const text of wrong) t.equal(rebootRequestOf(annotated(text)), undefined, text);
});
