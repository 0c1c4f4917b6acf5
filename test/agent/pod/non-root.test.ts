import t from 'tap';
import { ConfigurationError } from '../../../agent/pod/configuration-error.ts';
import { dependsOnImageUser, refuseRoot } from '../../../agent/pod/non-root.ts';
import type { Container, PodSpec } from '../../../agent/pod/pod.ts';
import { container, makePod } from '../builders.ts';

type OfPod = PodSpec['securityContext'];
type OfContainer = Container['securityContext'];

/** The refusal, without where it is. */
function refusal(ofPod: OfPod, ofContainer: OfContainer, imageUser: string): string | undefined {
  const main = container('main', ofContainer ? { securityContext: ofContainer } : {});
  const pod = makePod({ containers: [main], ...(ofPod && { securityContext: ofPod }) });
  try {
    refuseRoot(pod, main, imageUser);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message.replace(' (pod: "web_default(uid-web)", container: main)', '');
  }
  return undefined;
}

const AS_ROOT = 'container has runAsNonRoot and image will run as root';

t.test('who may not be root is not started as root', async (t) => {
  const rule = { runAsNonRoot: true };
  const cases: [OfPod, OfContainer, string, string | undefined][] = [
    [undefined, undefined, '', undefined],
    [rule, undefined, '', AS_ROOT],
    [undefined, rule, '0:1000', AS_ROOT],
    [rule, undefined, '1000', undefined],
    [rule, undefined, '1000:0', undefined],
    [
      rule,
      undefined,
      'nginx',
      'container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root',
    ],
    [rule, { runAsUser: 0 }, '1000', "container's runAsUser breaks non-root policy"],
    [{ runAsUser: 1000 }, rule, '', undefined],
    [rule, { runAsNonRoot: false }, '', undefined],
  ];
  for (const [ofPod, ofContainer, imageUser, wanted] of cases)
    t.equal(refusal(ofPod, ofContainer, imageUser), wanted, JSON.stringify([ofPod, ofContainer, imageUser]));
});

t.test('the image is asked only when it decides', async (t) => {
  const asked = (securityContext: OfContainer) =>
    dependsOnImageUser(makePod(), container('main', securityContext ? { securityContext } : {}));
  t.equal(asked({ runAsNonRoot: true }), true);
  t.equal(asked({ runAsNonRoot: true, runAsUser: 7 }), false);
  t.equal(asked(undefined), false);
});
