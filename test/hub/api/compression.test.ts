import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { acceptsGzip } from '../../../hub/api/compression.ts';
import { ensureSchema } from '../../../scripts/generate-schema.ts';
import { startHub } from './test-hub.ts';

ensureSchema();
const hub = await startHub(t);
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

await hub.post(CONFIG_MAPS, { metadata: { name: 'small' }, data: { x: 'x'.repeat(100) } });
await hub.post(CONFIG_MAPS, { metadata: { name: 'large' }, data: { x: 'x'.repeat(200 * 1024) } });

t.test('which clients read gzip', async (t) => {
  for (const header of ['gzip', 'GZIP', 'deflate, gzip', 'gzip;q=0.5, identity', 'br;q=1, gzip;q=1'])
    t.ok(acceptsGzip(header), header);
  for (const header of [undefined, '', 'identity', 'br', 'gzip;q=0', 'gzip;q=x', 'xgzip', '*'])
    t.notOk(acceptsGzip(header), String(header));
});

t.test('what is long is compressed for who reads it', async (t) => {
  const plain = await hub.get(`${CONFIG_MAPS}/large`);
  t.match(plain.headers, { 'content-encoding': undefined, vary: 'Accept-Encoding' });
  const raw = await hub.send('GET', `${CONFIG_MAPS}/large`, { headers: { 'accept-encoding': 'gzip' } });
  t.match(raw.headers, { 'content-encoding': 'gzip', 'content-type': 'application/json' });
  t.equal(Number(raw.headers['content-length']), raw.content.length);
  t.ok(raw.content.length < 10_000, `${raw.content.length} bytes`);
  t.equal(gunzipSync(raw.content).toString(), plain.text);
});

t.test('what is short is not', async (t) => {
  const { headers, body } = await hub.get(`${CONFIG_MAPS}/small`, { headers: { 'accept-encoding': 'gzip' } });
  t.match(headers, { 'content-encoding': undefined, vary: undefined });
  t.equal(body.metadata.name, 'small');
});

t.test('documents that clients keep vary by both', async (t) => {
  const { headers } = await hub.send('GET', '/openapi/v3/apis/apps/v1', {
    headers: { 'accept-encoding': 'gzip' },
  });
  t.match(headers, { 'content-encoding': 'gzip', vary: 'Accept, Accept-Encoding' });
});

t.test('watches are never compressed', async (t) => {
  const stream = await hub.watch(`${CONFIG_MAPS}?watch=true`, { 'accept-encoding': 'gzip' });
  t.equal(stream.response.headers['content-encoding'], undefined);
  const names = [await stream.next(), await stream.next()].map(({ object }) => object.metadata.name);
  t.same(names.sort(), ['large', 'small']);
  stream.close();
});
