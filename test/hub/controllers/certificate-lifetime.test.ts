import t from 'tap';
import { expiryOf } from '../../../hub/controllers/certificates/certificate-lifetime.ts';
import type { CertificateSigningRequestObject } from '../../../hub/resources/typed.ts';

const CREATED = '2026-01-01T00:00:00Z';
const HOUR_MS = 3_600_000;

function request(conditions: readonly { type: string; lastUpdateTime: string }[]) {
  return {
    metadata: { creationTimestamp: CREATED },
    status: { conditions },
  } as unknown as CertificateSigningRequestObject;
}

t.test('requests are kept as long as somebody may want them', async (t) => {
  const hours = (each: CertificateSigningRequestObject) => (expiryOf(each) - Date.parse(CREATED)) / HOUR_MS;
  t.equal(hours(request([])), 24, 'nobody has decided yet');
  for (const type of ['Approved', 'Denied', 'Failed'])
    t.equal(hours(request([{ type, lastUpdateTime: '2026-01-01T02:00:00Z' }])), 3, type);
  const both = [
    { type: 'Approved', lastUpdateTime: '2026-01-01T02:00:00Z' },
    { type: 'Failed', lastUpdateTime: '2026-01-01T05:00:00Z' },
  ];
  t.equal(hours(request(both)), 6, 'an hour after the last word');
});
