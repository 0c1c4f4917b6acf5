import t from 'tap';
import { digestOf, digestProblem } from '../../../agent/pod/image-digest.ts';

const [ONE, TWO] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
const found = (...digests: string[]) => ({ id: 'sha256:id', digests });

t.test('what a name stands for', async (t) => {
  for (const [image, there, digest] of [
    [`app@${ONE}`, found(`app@${ONE}`), ONE],
    ['app:1', found(`app@${ONE}`), ONE],
    ['app', found(`app@${ONE}`), ONE],
    ['registry.example:5000/app:1', found(`other/app@${TWO}`, `registry.example:5000/app@${ONE}`), ONE],
    ['registry.example:5000/app', found(`other/app@${TWO}`, `registry.example:5000/app@${ONE}`), ONE],
    ['docker.io/library/app:1', found(`app@${ONE}`), ONE],
    ['made-here:1', found(), 'sha256:id'],
  ] as const)
    t.equal(digestOf(image, there), digest, image);
});

t.test('what was found is what the name says', async (t) => {
  t.equal(digestProblem('app:1', found()), undefined);
  t.equal(digestProblem(`app@${ONE}`, found(`app@${TWO}`, `mirror/app@${ONE}`)), undefined);
  t.equal(digestProblem('app@sha256:id', found()), undefined);
  t.match(digestProblem(`app@${ONE}`, found(`app@${TWO}`)), /has another digest .*: sha256:id, sha256:222/);
  t.match(digestProblem('app:1', undefined), /has downloaded image "app:1", and does not have it/);
});
