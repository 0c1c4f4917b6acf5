import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import * as codec from 'dns-packet';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Zone } from '../../../agent/dns/answer.ts';
import { DnsServer } from '../../../agent/dns/dns-server.ts';
import type { Service } from '../../../agent/pod/pod.ts';

/* The server over real sockets, asked with the packets of another program's codec and with none at all. */

const ADDRESS = '127.0.0.1';
const NAME = 'web.default.svc.cluster.local';
const log = pino({ level: 'silent' });

async function serve(t: Test, count: number) {
  const service = { metadata: { name: 'web', namespace: 'default' }, spec: {} } as Service;
  const zone: Zone = {
    service: (namespace, name) => (`${namespace}/${name}` === 'default/web' ? service : undefined),
    endpoints: () =>
      Array.from({ length: count }, (_, index) => ({
        ip: `10.0.0.${index}`,
        hostname: undefined,
        ports: [],
      })),
  };
  const server = await DnsServer.listen({ address: ADDRESS, port: 0, tcpPort: 0, zone, log });
  t.teardown(() => server.close());
  return server;
}

const question = (name = NAME, rest: object = {}): Buffer =>
  codec.encode({
    type: 'query',
    id: 7,
    flags: codec.RECURSION_DESIRED,
    questions: [{ name, type: 'A', class: 'IN' }],
    ...rest,
  });

async function askUdp({ ports }: DnsServer, ...queries: Buffer[]): Promise<codec.DecodedPacket> {
  const socket = createSocket('udp4');
  for (const query of queries) socket.send(query, ports.udp, ADDRESS);
  const [reply] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return codec.decode(reply);
}

const addresses = ({ answers = [] }: codec.Packet) =>
  answers.map((answer) => ('data' in answer ? answer.data : undefined)).sort();

t.test('over UDP', async (t) => {
  const server = await serve(t, 2);
  const reply = await askUdp(server, question());
  t.equal(reply.id, 7);
  t.same(addresses(reply), ['10.0.0.0', '10.0.0.1']);
  t.match(reply, { type: 'response', rcode: 'NOERROR', flag_aa: true, flag_rd: true, flag_tc: false });
  t.match(reply.answers?.[0], { name: NAME, type: 'A', ttl: 5 });
  t.match(await askUdp(server, question('other.default.svc.cluster.local')), { rcode: 'NXDOMAIN' });
  t.match(await askUdp(server, question('example.com')), { rcode: 'REFUSED', flag_aa: false });
});

t.test('what is no question is not answered, and does no harm', async (t) => {
  const server = await serve(t, 1);
  const response = codec.encode({ type: 'response', id: 7, questions: [{ name: NAME, type: 'A' }] });
  const two = question(NAME, {
    id: 8,
    questions: [
      { name: NAME, type: 'A' },
      { name: NAME, type: 'A' },
    ],
  });
  const bad = [Buffer.alloc(0), Buffer.from('garbage'), response, two, Buffer.alloc(2000, 1)];
  const reply = await askUdp(server, ...bad, question(NAME, { id: 9 }));
  t.equal(reply.id, 9);
});

t.test('more than fits is asked for again over TCP', async (t) => {
  const server = await serve(t, 20);
  const short = await askUdp(server, question());
  t.ok(short.flag_tc);
  t.equal(short.answers?.length, 10, 'what fits into 512 bytes');
  const more = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] };
  const long = await askUdp(server, question(NAME, { additionals: [more] }));
  t.notOk(long.flag_tc);
  t.equal(long.answers?.length, 20);
  t.match(long.additionals, [{ type: 'OPT', udpPayloadSize: 1232 }]);

  const connection = connect(server.ports.tcp, ADDRESS);
  const asked = codec.streamEncode({ type: 'query', id: 1, questions: [{ name: NAME, type: 'A' }] });
  connection.write(asked.subarray(0, 5)); // questions may come in pieces, and together
  connection.write(Buffer.concat([asked.subarray(5), asked]));
  let bytes = Buffer.alloc(0);
  const replies: codec.Packet[] = [];
  for await (const chunk of connection) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE()) {
      replies.push(codec.streamDecode(bytes));
      bytes = bytes.subarray(2 + bytes.readUInt16BE());
    }
    if (replies.length === 2) break;
  }
  t.same(
    replies.map(({ answers }) => answers?.length),
    [20, 20],
  );
});

t.test('a connection that sends what is no question is closed', async (t) => {
  const server = await serve(t, 1);
  const connection = connect(server.ports.tcp, ADDRESS);
  connection.on('error', () => {});
  connection.write(Buffer.from([0xff, 0xff, ...Array<number>(1100).fill(1)]));
  await once(connection, 'close');
  t.pass('it was closed');
});

t.test('an address that somebody else has', async (t) => {
  const { ports } = await serve(t, 1);
  const zone: Zone = { service: () => undefined, endpoints: () => [] };
  await t.rejects(DnsServer.listen({ address: ADDRESS, port: ports.udp, tcpPort: 0, zone, log }), {
    code: 'EADDRINUSE',
  });
});
