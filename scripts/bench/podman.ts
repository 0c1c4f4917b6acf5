import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DebianPodman } from '../debian-podman.ts';

const BRIDGE = 'hf-bench0';
/** Of the engine's own network, for the floor; Podman's usual one may be another Podman's here. */
const SUBNET = '10.87.0.0/16';
/** As docs/pods.md says for devices with little memory. */
const SMALL = { GOGC: '30' };

/** For as long as the benchmark runs. */
export class BenchPodman extends DebianPodman {
  static async begin(): Promise<BenchPodman> {
    if (process.getuid?.() !== 0) throw new Error('the benchmark starts Podman as root only');
    const podman = new BenchPodman({ env: SMALL, networks });
    try {
      await podman.start();
    } catch (error) {
      await podman.close();
      throw error;
    }
    return podman;
  }

  override async close(): Promise<void> {
    await super.close();
    if (readdirSync('/sys/class/net').includes(BRIDGE)) execFileSync('ip', ['link', 'delete', BRIDGE]);
  }
}

/** As Podman's own default, but for its bridge and addresses. */
const ownNetwork = (dir: string) => ({
  cniVersion: '0.4.0',
  name: 'podman',
  plugins: [
    {
      ...{ type: 'bridge', bridge: BRIDGE, isGateway: true, ipMasq: true, hairpinMode: true },
      ipam: {
        type: 'host-local',
        dataDir: join(dir, 'addresses'),
        routes: [{ dst: '0.0.0.0/0' }],
        ranges: [[{ subnet: SUBNET }]],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'firewall' },
    { type: 'tuning' },
  ],
});

const networks = (dir: string) => ({ '87-podman.conflist': ownNetwork(dir) });
