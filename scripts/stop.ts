import { stopAgent, stopHub } from './local-processes.ts';

try {
  const [agent, hub] = await Promise.all([stopAgent(), stopHub()]);
  const stopped = [hub && 'the hub', agent && 'the agent'].filter(Boolean).join(' and ');
  console.log(
    stopped ? `Stopped ${stopped}; containers go on running.` : 'Neither the hub nor the agent ran.',
  );
} catch (error) {
  console.error(`npm run stop: ${(error as Error).message}`);
  process.exitCode = 1;
}
