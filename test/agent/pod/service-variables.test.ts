import t from 'tap';
import type { Service } from '../../../agent/pod/pod.ts';
import { serviceVariables } from '../../../agent/pod/service-variables.ts';
import { makePod } from '../builders.ts';

const service = (name: string, spec: object, namespace = 'default') =>
  ({ metadata: { name, namespace }, spec }) as Service;
const api = { host: 'hub.example', port: 6443 };
const of = (services: Service[], spec: object = {}, given: typeof api | undefined = undefined) =>
  Object.fromEntries(serviceVariables(makePod(spec), services, given));

t.test('where Services are', async (t) => {
  const ports = [
    { name: 'web-page', port: 80 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ];
  const shop = service('my-shop', { clusterIP: '10.43.0.9', ports });
  t.same(of([shop]), {
    MY_SHOP_SERVICE_HOST: '10.43.0.9',
    MY_SHOP_SERVICE_PORT: '80',
    MY_SHOP_SERVICE_PORT_WEB_PAGE: '80',
    MY_SHOP_SERVICE_PORT_DNS: '53',
    MY_SHOP_PORT: 'tcp://10.43.0.9:80',
    MY_SHOP_PORT_80_TCP: 'tcp://10.43.0.9:80',
    MY_SHOP_PORT_80_TCP_PROTO: 'tcp',
    MY_SHOP_PORT_80_TCP_PORT: '80',
    MY_SHOP_PORT_80_TCP_ADDR: '10.43.0.9',
    MY_SHOP_PORT_53_UDP: 'udp://10.43.0.9:53',
    MY_SHOP_PORT_53_UDP_PROTO: 'udp',
    MY_SHOP_PORT_53_UDP_PORT: '53',
    MY_SHOP_PORT_53_UDP_ADDR: '10.43.0.9',
  });
  t.match(of([service('six', { clusterIP: 'fd00::9', ports: [{ port: 1 }] })]), {
    SIX_PORT: 'tcp://[fd00::9]:1',
  });
  t.same(of([service('headless', { clusterIP: 'None', ports })]), {});
  t.same(of([service('elsewhere', { clusterIP: '10.43.0.9', ports }, 'other')]), {});
  t.same(of([shop], { enableServiceLinks: false }), {}, 'who does not want them');
});

t.test('where the API is', async (t) => {
  t.match(of([], { enableServiceLinks: false }, api), {
    KUBERNETES_SERVICE_HOST: 'hub.example',
    KUBERNETES_SERVICE_PORT: '6443',
    KUBERNETES_SERVICE_PORT_HTTPS: '6443',
    KUBERNETES_PORT: 'tcp://hub.example:6443',
  });
});
