import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  type Installation,
  installationOf,
  isTrialOpen,
  proveStart,
  type Slot,
} from '../../../agent/update/installation.ts';
import { Slots, type Trial } from '../../../agent/update/slots.ts';

function installed(t: Test, slot: Slot = 'base'): Installation {
  const dir = t.testdir({ base: { 'package.json': '{"version": "1.0.0"}' }, slots: {} });
  const slots = join(dir, 'slots');
  return { home: join(dir, 'base'), base: join(dir, 'base'), slots, slot };
}

function put(installation: Installation, slot: 'a' | 'b', version: string): void {
  mkdirSync(join(installation.slots, slot), { recursive: true });
  writeFileSync(join(installation.slots, slot, 'package.json'), JSON.stringify({ version }));
}

const TRIAL: Trial = {
  slot: 'a',
  request: 'x',
  ...{ from: '1.0.0', hadContact: true, hadEngine: true },
  ...{ seconds: 30, minHealthySeconds: 5 },
};

t.test('a launcher that looks elsewhere is no installation', async (t) => {
  const env = (slots: string, slot = 'a') => ({
    HOLDFAST_AGENT_HOME: '/home',
    HOLDFAST_AGENT_BASE: '/base',
    HOLDFAST_AGENT_SLOTS: slots,
    HOLDFAST_AGENT_SLOT: slot,
  });
  t.match(installationOf(env('/data/slots'), '/data'), { home: '/home', slot: 'a' });
  t.equal(installationOf(env('/other/slots'), '/data'), undefined);
  t.equal(installationOf(env('/data/slots', 'test'), '/data'), undefined);
  t.equal(installationOf({}, '/data'), undefined);
});

t.test('another version never takes the place of what runs, or of what runs next', async (t) => {
  const installation = installed(t);
  const slots = new Slots(installation);
  t.equal(slots.free, 'a');
  slots.makeCurrent('a');
  t.equal(slots.free, 'b', 'what was confirmed, and fell back to what was installed');
  t.equal(
    new Slots({ ...installation, slot: 'b' }).free,
    'b',
    'there is no third: nothing is put while one is tried',
  );
  slots.makeCurrent('base');
  t.equal(new Slots({ ...installation, slot: 'a' }).free, 'b');
});

t.test('where a version is', async (t) => {
  const installation = installed(t);
  const slots = new Slots(installation);
  t.equal(slots.holding('1.0.0'), 'base');
  t.equal(slots.holding('2.0.0'), undefined);
  put(installation, 'b', '2.0.0');
  t.equal(slots.holding('2.0.0'), 'b');
});

t.test('a trial is whole or not there, and says how it went', async (t) => {
  const installation = installed(t);
  const slots = new Slots(installation);
  t.equal(slots.trial, undefined);
  t.notOk(isTrialOpen(installation));
  slots.beginTrial(TRIAL);
  t.same(slots.trial, { ...TRIAL, starts: 0, failed: undefined });
  t.ok(isTrialOpen(installation));
  writeFileSync(join(installation.slots, 'trial/starts'), 'started\nstarted\n');
  slots.failTrial('Hung');
  t.match(slots.trial, { starts: 2, failed: 'Hung' });
  slots.beginTrial({ ...TRIAL, request: 'y' });
  t.match(slots.trial, { request: 'y', starts: 0, failed: undefined }, 'another one knows nothing of it');
  slots.endTrial();
  t.equal(slots.trial, undefined);
  slots.endTrial();
});

t.test('starts in vain', async (t) => {
  const installation = installed(t);
  const file = join(installation.slots, 'starts');
  t.notOk(proveStart(installation));
  writeFileSync(file, 'started\n'.repeat(5));
  t.notOk(proveStart({ ...installation, slot: 'a' }));
  t.notOk(existsSync(file), 'it works: the count begins anew');
  writeFileSync(file, 'started\n');
  t.notOk(proveStart(installation), 'somebody has installed another package meanwhile');
  writeFileSync(file, 'started\n'.repeat(5));
  t.ok(proveStart(installation));
});
