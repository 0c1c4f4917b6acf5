import t from 'tap';
import { engineAddressProblem } from '../../proto/engine-address.ts';

t.test('what an engine can be reached by', async (t) => {
  for (const right of ['unix:///run/podman/podman.sock', 'tcp://10.0.0.5:2375', 'tcp://engine'])
    t.equal(engineAddressProblem(right), undefined, right);
  for (const wrong of [
    '',
    'foo',
    '/run/docker.sock',
    'unix://',
    'unix:///',
    'tcp://',
    'ssh://host',
    'tcp://a:b',
  ])
    t.equal(engineAddressProblem(wrong), 'must look like unix:///path or tcp://host:port', wrong);
});
