import { openPolicies } from '../../../../hub/admission/open-policies.ts';
import {
  DEFAULT_ADDRESSES,
  DEFAULT_NODE_PORTS,
  parseServiceRanges,
} from '../../../../hub/admission/service-addresses/service-ranges.ts';
import type { ApiServerOptions } from '../../../../hub/api/server.ts';
import { bootstrapObjects } from '../../../../hub/bootstrap-objects.ts';
import { startControllers } from '../../../../hub/controllers/start-controllers.ts';
import { signRequest } from '../../../../hub/security/certificate-signer.ts';
import { Cluster, silent } from '../../controllers/cluster.ts';
import { startHub, type TestHub } from '../test-hub.ts';

type Teardown = Parameters<typeof startHub>[0];

/** The API as `hub/hub.ts` joins it, without devices: policies, first objects, controllers. */
export interface WholeHub {
  readonly hub: TestHub;
  /** What a test does in a device's place. */
  readonly cluster: Cluster;
}

export async function startWholeHub(t: Teardown, options?: Partial<ApiServerOptions>): Promise<WholeHub> {
  const hub = await startHub(t, options);
  const { registry, access, authority } = hub;
  const policies = openPolicies(registry, {
    serviceRanges: parseServiceRanges(DEFAULT_ADDRESSES, DEFAULT_NODE_PORTS),
    authorize: (user, question) => access.authorizer.authorize(user, question),
  });
  await bootstrapObjects(registry);
  const controllers = startControllers({
    registry,
    log: silent,
    quotas: policies.quotas,
    identities: {
      rootCertificate: authority.certificate,
      issue: (account, secret) => access.accountTokens.issueLegacy(account, secret),
      sign: (spec) => signRequest({ registry, ca: authority }, spec),
    },
  });
  t.teardown(async () => {
    await controllers.stop();
    policies.close();
  });
  return { hub, cluster: new Cluster(registry) };
}
