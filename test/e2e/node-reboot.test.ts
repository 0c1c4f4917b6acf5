import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeRebootRequest, REBOOT_ANNOTATION } from '../../proto/node-reboot.ts';
import { Engine } from '../support/engine.ts';
import { Holdfast } from '../support/holdfast.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Devices that are asked to start anew: real hub, real agents; the device's own command is a script that says it ran. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const GRACE_SECONDS = 2;

for (const transport of ['mqtt', 'grpc'] as const)
  t.test(`a device starts anew when it is asked, over ${transport}`, async (t) => {
    const node = `device-reboot-${transport}`;
    const stand = new Stand(engine, transport, node, ['--node-monitor-grace-period', `${GRACE_SECONDS}`]);
    t.teardown(() => stand.close());
    const holdfast = new Holdfast(stand.kubeconfig);
    const file = (name: string) => join(stand.dir, name);
    const [boot, runs] = [file('boot-id'), file('runs')];
    writeFileSync(boot, 'first\n');
    const script = (name: string, ...lines: string[]) => {
      writeFileSync(file(name), ['#!/bin/sh', ...lines, ''].join('\n'));
      chmodSync(file(name), 0o755);
      return ['--boot-id-file', boot, '--reboot-command', JSON.stringify([file(name)])];
    };
    const timesRun = () => (existsSync(runs) ? readFileSync(runs, 'utf8').trim().split('\n').length : 0);
    const restartAgent = async (...flags: string[]) => {
      await stand.agent.end('SIGKILL');
      await stand.startAgent(...flags);
      await stand.agent.line(/connected to the hub/);
    };
    const nodeNow = () =>
      stand.api.call<{
        metadata: { uid: string };
        status: { nodeInfo: { bootID: string }; conditions: { type: string; status: string }[] };
      }>('GET', `/api/v1/nodes/${node}`);
    const ready = (status: string) =>
      until(`the node's readiness is ${status}`, async () => {
        const { conditions } = (await nodeNow()).status;
        return conditions.find(({ type }) => type === 'Ready')?.status === status;
      });
    /** With the good-bye of a power cut, and the next start as it says. */
    const reboots = script('reboots', `echo ran >> ${runs}`, `echo second > ${boot}`, 'kill -9 $PPID');
    const crashes = script('crashes', `echo ran >> ${runs}`, 'kill -9 $PPID');
    const fails = script('fails', 'echo "no power" >&2', 'echo more >&2', 'exit 3');

    await t.test('not unless its owner lets it', async (t) => {
      await stand.start('--boot-id-file', boot);
      await ready('True');
      const { out, err, code } = await holdfast.run(`node reboot ${node}`);
      t.equal(code, 1);
      t.equal(out, `node ${node} is asked to reboot\n`);
      t.match(err, /does not reboot: RebootRefused: its owner lets nobody .*--reboot-command/);
      t.notMatch(err, /request/);
    });

    await t.test('a command that fails is told of', async (t) => {
      await restartAgent(...fails);
      await ready('True');
      const { err, code } = await holdfast.run(`node reboot ${node}`);
      t.equal(code, 1);
      t.match(
        err,
        /does not reboot: RebootFailed: the command ".*fails" ended with exit code 3: no power\n$/,
      );
    });

    await t.test('it does, is waited for, and the Node tells of it', async (t) => {
      await restartAgent(...reboots);
      await ready('True');
      const asked = holdfast.run(`node reboot ${node} --timeout 60s`);
      await stand.agent.exit();
      await stand.startAgent(...reboots);
      const { out, err, code } = await asked;
      t.equal(err, '');
      t.equal(code, 0);
      t.match(out, /^node \S+ is asked to reboot\nnode \S+ reboots\nnode \S+ is back after \d+s\n$/);
      t.equal(timesRun(), 1);
      t.equal((await nodeNow()).status.nodeInfo.bootID, 'second');
      t.match(await stand.kubectl('describe', 'node', node), /Normal +Rebooting +.*holdfast-agent/);
    });

    await t.test('once, however often its agent is killed, connected or not', async (t) => {
      await restartAgent(...crashes);
      await ready('True');
      const asked = holdfast.run(`node reboot ${node} --timeout 15s`);
      await stand.agent.exit();
      await stand.startAgent(...crashes);
      await stand.agent.line(/connected to the hub/);
      await restartAgent(...crashes);
      await stand.cutLink();
      await stand.agent.end('SIGKILL');
      await stand.startAgent(...crashes);
      await stand.agent.line(/no connection to the hub/);
      await stand.restoreLink();
      await stand.agent.line(/connected to the hub/);
      const { err, code } = await asked;
      t.equal(code, 2);
      t.match(err, /began to reboot, and is not Ready again after 1\ds\n$/);
      t.equal(timesRun(), 2, 'once more');
      t.ok(stand.agent.running);
    });

    await t.test('what is over is not done: by its time, and by a start since', async (t) => {
      const take = async (request: { until: string; bootId?: string }, isTaken: boolean) => {
        const said = stand.agent.lines.length;
        const annotations = {
          [REBOOT_ANNOTATION]: encodeRebootRequest({ id: request.until.slice(0, 4), ...request }),
        };
        await stand.api.call(
          'PATCH',
          `/api/v1/nodes/${node}`,
          { metadata: { annotations } },
          { contentType: 'application/merge-patch+json' },
        );
        if (isTaken) await stand.agent.line(/took a new desired state/, said);
      };
      await take({ until: '2020-01-01T00:00:00Z' }, false);
      await take({ until: '9999-01-01T00:00:00Z', bootId: 'first' }, true);
      t.equal(timesRun(), 2);
      t.ok(stand.agent.running);
    });

    await t.test('a dark one is not asked', async (t) => {
      await stand.cutLink();
      await ready('Unknown');
      const { out, err, code } = await holdfast.run(`node reboot ${node}`);
      t.equal(code, 1);
      t.equal(out, '');
      t.match(err, /is not asked: it is dark \d+s, and only a device that is connected can be/);
      t.equal(timesRun(), 2, 'and what was over was not done meanwhile');
    });
  });
