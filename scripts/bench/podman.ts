import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { DebianPodman } from '../debian-podman.ts';

/** Of the engine's own network, for the floor; Podman's usual addresses may be another Podman's here. */
const SETTINGS = { network: { default_subnet: '10.87.0.0/16' } };
const BRIDGE = 'podman0';
/** As docs/pods.md says for devices with little memory. */
const SMALL = { GOGC: '30' };

/** For as long as the benchmark runs. */
export class BenchPodman extends DebianPodman {
  static async begin(): Promise<BenchPodman> {
    if (process.getuid?.() !== 0) throw new Error('the benchmark starts Podman as root only');
    if (hasBridge())
      throw new Error(`the benchmark needs the network ${BRIDGE}: end the Podman that uses it`);
    const podman = new BenchPodman({ env: SMALL, settings: SETTINGS });
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
    if (hasBridge()) execFileSync('ip', ['link', 'delete', BRIDGE]);
  }
}

const hasBridge = () => readdirSync('/sys/class/net').includes(BRIDGE);
