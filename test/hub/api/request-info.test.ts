import t from 'tap';
import { resourceRequest } from '../../../hub/api/request-info.ts';
import { resources } from '../../../hub/resources/table-of-resources.ts';

function read(line: string): string | undefined {
  const [method = '', path = ''] = line.split(' ');
  const found = resourceRequest(method, new URL(path, 'https://hub'), resources);
  if (!found) return undefined;
  const { verb, resource, namespace, name, subresource } = found;
  return [verb, resource.plural, namespace ?? '*', name ?? '*', subresource ?? '*'].join(' ');
}

t.test('what a request asks for', async (t) => {
  const cases: [string, string | undefined][] = [
    ['GET /api/v1/pods', 'list pods * * *'],
    ['GET /api/v1/namespaces/n/pods', 'list pods n * *'],
    ['GET /api/v1/namespaces/n/pods?watch=true', 'watch pods n * *'],
    ['GET /api/v1/namespaces/n/pods?watch=0', 'list pods n * *'],
    ['GET /api/v1/namespaces/n/pods?watch=False', 'list pods n * *'],
    ['GET /api/v1/namespaces/n/pods?watch', 'watch pods n * *'],
    ['GET /api/v1/namespaces/n/pods/p', 'get pods n p *'],
    ['HEAD /api/v1/namespaces/n/pods/p', 'get pods n p *'],
    ['GET /api/v1/namespaces/n/pods/p?watch=1', 'watch pods n p *'],
    ['GET /api/v1/namespaces/n/pods/p/log', 'get pods n p log'],
    ['POST /api/v1/namespaces/n/pods', 'create pods n * *'],
    ['PUT /apis/apps/v1/namespaces/n/deployments/d/status', 'update deployments n d status'],
    ['PATCH /apis/apps/v1/namespaces/n/deployments/d', 'patch deployments n d *'],
    ['DELETE /apis/apps/v1/namespaces/n/deployments/d', 'delete deployments n d *'],
    ['DELETE /apis/apps/v1/namespaces/n/deployments', 'deletecollection deployments n * *'],
    ['GET /api/v1/namespaces', 'list namespaces * * *'],
    ['GET /api/v1/namespaces/n', 'get namespaces * n *'],
    ['PUT /api/v1/namespaces/n/finalize', 'update namespaces * n finalize'],
    ['PUT /api/v1/namespaces/n/status', 'update namespaces * n status'],
    ['GET /api/v1/nodes/a%3Ab', 'get nodes * a:b *'],
    ['GET /api', undefined],
    ['GET /api/v1', undefined],
    ['GET /apis/apps', undefined],
    ['GET /apis/apps/v1', undefined],
    ['GET /version', undefined],
    ['GET /', undefined],
  ];
  for (const [line, wanted] of cases) t.equal(read(line), wanted, line);
});

t.test('what is not there', async (t) => {
  const unknown = [
    '/api/v1/things',
    '/apis/apps/v1/pods',
    '/apis/x/v1/deployments',
    '/api/v2/pods',
    '/api/v1/namespaces/n/nodes',
    '/api/v1/namespaces/n/pods/p/log/x',
  ];
  for (const path of unknown) t.throws(() => read(`GET ${path}`), { code: 404 }, path);
  t.throws(() => read('GET /api/v1/nodes/%ff'), { code: 400 }, 'a path that is no UTF-8');
  t.throws(() => read('TRACE /api/v1/pods'), { code: 400 });
});
