import type { Entries } from './entry.ts';

/** Everything that `holdfast` can be told to do. */
export const COMMANDS: Entries = {
  hub: { about: 'runs the hub', load: async () => (await import('./hub.ts')).hub },
  doctor: {
    about: 'what keeps a hub on this machine from its work, and what to do',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  'support-bundle': {
    about: 'collects what others need to find out what is wrong, without secrets',
    load: async () => (await import('./support-bundle.ts')).supportBundle,
  },
  config: {
    about: "checks files of the hub's settings",
    load: async () => (await import('./config.ts')).config,
  },
  token: {
    about: 'tokens with which devices join',
    load: async () => (await import('../cli/token.ts')).token,
  },
  packages: {
    about: 'says which packages devices get from the hub on this machine',
    load: async () => (await import('./packages.ts')).packages,
  },
  bundle: {
    about: 'files with all that a site without a network needs',
    load: async () => (await import('./bundle.ts')).bundle,
  },
  images: {
    about: 'images that devices have from this hub',
    load: async () => (await import('./images.ts')).images,
  },
  rollout: {
    about: 'plans, follows and steers changes on their way through the fleet',
    load: async () => (await import('../cli/rollout/rollout.ts')).rollout,
  },
  node: {
    about: 'lists, labels, drains, reboots, approves, replaces and revokes devices',
    load: async () => (await import('../cli/node/node.ts')).node,
  },
  version: {
    about: 'prints the version of this program',
    load: async () => (await import('./version.ts')).version,
  },
  completion: {
    about: 'completes commands and flags in bash, zsh and fish',
    load: async () => (await import('./completion.ts')).completionOfAll(COMMANDS),
  },
};
