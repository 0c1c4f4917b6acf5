import type { Logger } from 'pino';
import type { Registry } from '../registry/registry.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import type { ControllerContext, Running } from './controller.ts';
import { startDeploymentController } from './deployment/deployment-controller.ts';
import { EventRecorder } from './event-recorder.ts';
import { startReplicaSetController } from './replica-set/replica-set-controller.ts';

export interface StartControllersOptions {
  readonly registry: Registry;
  readonly log: Logger;
  readonly now?: () => number;
}

/** Starts every controller and the scheduler. They meet in the registry only: each could as well run alone. */
export function startControllers({ registry, log, now = Date.now }: StartControllersOptions): Running {
  const events = new EventRecorder({ registry, log, now });
  const context: ControllerContext = { registry, log, now, events };
  const running: Running[] = [
    startDeploymentController(context),
    startReplicaSetController(context),
    new Scheduler({
      registry,
      log: log.child({ part: 'scheduler' }),
      now,
      record: (about, text) => events.record('default-scheduler', about, text),
    }),
  ];
  return {
    stop: async () => {
      await Promise.all(running.map((each) => each.stop()));
      await events.stop();
    },
  };
}
