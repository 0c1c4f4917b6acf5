import { objectKey } from '../../resources/object.ts';
import { canonicalQuantity, type Quantity } from '../../resources/quantity.ts';
import { resourceQuotas } from '../../resources/table-of-resources.ts';
import type { ResourceQuotaObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { writeStatus } from '../status.ts';

const SOURCE = 'resourcequota-controller';
/** Usage that changes often is written this often: what counts for admission is not the status. */
const WRITE_EVERY_MS = 100;

/** Who counts what quotas limit: the ledger that admission goes by. */
export interface QuotaUsage {
  of(namespace: string): readonly {
    readonly quota: ResourceQuotaObject;
    stored(name: string): Quantity;
  }[];
  onChange: (key: string) => void;
}

/** Tells in each ResourceQuota's status what is used of it. */
export function startResourceQuotaController(
  context: ControllerContext,
  quotas: QuotaUsage,
): RunningController {
  const controller = startController(context, {
    name: 'resource-quota',
    watches: [],
    sync: async (key) => {
      const { namespace = '', name } = splitKey(key);
      const account = quotas.of(namespace).find(({ quota }) => quota.metadata.name === name);
      if (!account) return undefined;
      const { hard = {} } = account.quota.spec;
      const used = Object.fromEntries(
        Object.keys(hard).map((each) => [each, canonicalQuantity(account.stored(each))]),
      );
      const write = writeStatus(context.registry, resourceQuotas, account.quota, { hard, used }, SOURCE);
      await unlessGone(write);
      return undefined;
    },
  });
  quotas.onChange = (key) => controller.addAfter(key, WRITE_EVERY_MS);
  for (const quota of context.registry.list(resourceQuotas).items) controller.add(objectKey(quota));
  return controller;
}
