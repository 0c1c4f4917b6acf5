/* One graph of modules: loaded as two, each is linked by itself. */

export { Agent } from './agent.ts';
export { thisDevice } from './device.ts';
