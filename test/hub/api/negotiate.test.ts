import t from 'tap';
import { negotiate } from '../../../hub/api/negotiate.ts';

t.test('the first form that the hub serves wins', async (t) => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const cases: [string | undefined, object][] = [
    [undefined, { format: 'json', metaVersion: 'v1' }],
    ['', { format: 'json' }],
    ['*/*', { format: 'json' }],
    ['application/*', { format: 'json' }],
    ['application/yaml', { format: 'yaml' }],
    ['text/html, application/json', { format: 'json' }],
    ['application/vnd.kubernetes.protobuf,application/json', { format: 'json' }],
    [`${table},application/json`, { format: 'json', as: 'Table', metaVersion: 'v1' }],
    ['application/json; g=meta.k8s.io; v="v1beta1"; as=Table', { as: 'Table', metaVersion: 'v1beta1' }],
    [`application/json,${table}`, { format: 'json', as: undefined }],
    ['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', { as: 'PartialObjectMetadata' }],
    ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', { as: undefined }],
    ['application/json;as=Other;v=v1;g=meta.k8s.io,application/json', { as: undefined }],
  ];
  for (const [accept, form] of cases) t.match(negotiate(accept), form, String(accept));
});

t.test('406 when nothing can be served', async (t) => {
  for (const accept of [
    'text/html',
    'application/vnd.kubernetes.protobuf',
    'application/json;as=Table;v=v2;g=meta.k8s.io',
  ])
    t.throws(() => negotiate(accept), { code: 406, reason: 'NotAcceptable' }, accept);
});
