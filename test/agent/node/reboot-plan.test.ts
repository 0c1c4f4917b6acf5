import t from 'tap';
import { decideReboot, type RebootSituation } from '../../../agent/node/reboot-plan.ts';
import type { RebootRequest } from '../../../proto/node-reboot.ts';

const request = { id: 'x', at: '2026-01-01T12:00:00Z', until: '2026-01-01T12:05:00Z', bootId: 'first' };
const at = (time: string) => ({ wallMs: Date.parse(`2026-01-01T${time}Z`) });
const situation: RebootSituation = {
  isDone: false,
  bootId: 'first',
  ...at('12:00:01'),
  isAllowed: true,
};

t.test('whether a device starts anew', async (t) => {
  const { at: _, bootId: __, ...byHand } = request;
  const rows: [string, Partial<RebootSituation>, RegExp | 'nothing' | 'reboot', RebootRequest?][] = [
    ['it is asked', {}, 'reboot'],
    ['it has done so', { isDone: true }, 'nothing'],
    ['it was started since', { bootId: 'second' }, 'nothing'],
    ['it was started since, and its clock is wrong', { bootId: 'second', wallMs: 0 }, 'nothing'],
    ['it was started since, and nobody may', { bootId: 'second', isAllowed: false }, 'nothing'],
    ['it does not know its start', { bootId: '' }, 'reboot'],
    ['the hub does not know its start', {}, 'reboot', { ...request, bootId: '' }],
    ['by hand', {}, 'reboot', byHand],
    ['by hand, too late', at('12:05:00'), /until 2026-01-01T12:05:00Z.* says 2026-01-01T12:05:00Z/, byHand],
    ['at the last moment', at('12:04:59'), 'reboot'],
    ['too late', at('12:05:00'), /ask again$/],
    ['its clock is a little behind', at('11:59:01'), 'reboot'],
    ['its clock is wrong', { wallMs: 0 }, /clock of this device \(1970-01-01T00:00:00Z\) is behind/],
    ['nobody may', { isAllowed: false }, /its owner lets nobody.*--reboot-command/],
    ['nobody may, and it has said so', { isAllowed: false, isDone: true }, 'nothing'],
  ];
  for (const [what, difference, expected, asked = request] of rows) {
    const found = decideReboot(asked, { ...situation, ...difference });
    if (typeof expected === 'string') t.equal(found.type, expected, what);
    else t.match(found, { type: 'refuse', why: expected }, what);
  }
});
