import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import t from 'tap';
import {
  labelSelectorText,
  matchesLabelSelector,
  matchesRequirements,
  parseFieldSelector,
  parseLabelSelector,
  selectionOf,
} from '../../../hub/resources/selector.ts';
import { pods } from '../../../hub/resources/table-of-resources.ts';

t.test('label selectors', async (t) => {
  const labels = { app: 'web', tier: 'front', size: '10', empty: '' };
  const cases: [string, boolean][] = [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    [' app = web , tier = front ', true],
    ['app=web,tier=back', false],
    ['app!=web', false],
    ['other!=web', true],
    ['app in (web,api)', true],
    ['app in (api)', false],
    ['app notin (api,db)', true],
    ['other notin (a)', true],
    ['app notin (web)', false],
    ['app', true],
    ['other', false],
    ['!other', true],
    ['!app', false],
    ['empty=', true],
    ['app=', false],
    ['empty in (,x)', true],
    ['size>9', true],
    ['size>10', false],
    ['size<11', true],
    ['app>1', false],
    ['example.com/role', false],
    ['constructor', false],
    ['!constructor', true],
    ['toString notin (a)', true],
  ];
  for (const [text, wanted] of cases)
    t.equal(matchesRequirements(parseLabelSelector(text), labels), wanted, JSON.stringify(text));
  t.equal(matchesRequirements(parseLabelSelector('!a'), undefined), true, 'an object without labels');
});

t.test('label selectors that cannot be read are refused with 400', async (t) => {
  for (const text of [
    '=',
    'a=b=c',
    'a in b',
    'a in (b',
    'a,',
    ',a',
    'a b',
    '!',
    '_a',
    'a=_',
    'a>x',
    'a/b/c',
    '!a=b',
    `a=${'x'.repeat(64)}`,
  ])
    t.throws(() => parseLabelSelector(text), { code: 400, message: /^unable to parse requirement/ }, text);
});

t.test('a LabelSelector object', async (t) => {
  const selector: LabelSelector = {
    matchLabels: { tier: 'front', app: 'web' },
    matchExpressions: [
      { key: 'zone', operator: 'NotIn', values: ['b', 'a'] },
      { key: 'gone', operator: 'DoesNotExist' },
      { key: 'here', operator: 'Exists' },
      { key: 'many', operator: 'In', values: ['y', 'x'] },
    ],
  };
  const labels = { app: 'web', tier: 'front', here: '', many: 'x' };
  t.equal(matchesLabelSelector(selector, labels), true);
  t.equal(matchesLabelSelector(selector, { ...labels, zone: 'a' }), false);
  t.equal(matchesLabelSelector(selector, { ...labels, gone: '' }), false);
  t.equal(matchesLabelSelector(selector, { ...labels, many: 'z' }), false);
  t.equal(matchesLabelSelector({}, {}), true, 'an empty one selects everything');
  t.equal(matchesLabelSelector(undefined, {}), false, 'a missing one nothing');
  const text = labelSelectorText(selector);
  t.equal(text, 'app=web,!gone,here,many in (x,y),tier=front,zone notin (a,b)');
  t.equal(matchesRequirements(parseLabelSelector(text), labels), true, 'the text says the same');
});

t.test('field selectors', async (t) => {
  t.same(parseFieldSelector('a.b=c,d!=e,f==g,h='), [
    { field: 'a.b', equal: true, value: 'c' },
    { field: 'd', equal: false, value: 'e' },
    { field: 'f', equal: true, value: 'g' },
    { field: 'h', equal: true, value: '' },
  ]);
  t.same(parseFieldSelector('a=x\\,y\\=z\\\\'), [{ field: 'a', equal: true, value: 'x,y=z\\' }]);
  for (const text of ['a', '=b', 'a=b=c', 'a>b'])
    t.throws(() => parseFieldSelector(text), { code: 400 }, text);
});

t.test('a selection', async (t) => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', labels: { app: 'web' } },
    spec: { containers: [], nodeName: 'node-1' },
    status: { phase: 'Running' },
  };
  const matches = (labelSelector: string, fieldSelector: string) =>
    selectionOf(pods, { labelSelector, fieldSelector }).matches?.(pod);
  t.equal(matches('', 'spec.nodeName=node-1,status.phase!=Failed'), true);
  t.equal(matches('', 'spec.nodeName=node-2'), false);
  t.equal(matches('app=api', 'spec.nodeName=node-1'), false);
  t.equal(matches('app=web', 'metadata.namespace=n'), true);
  t.equal(selectionOf(pods, { fieldSelector: 'metadata.name=p' }).name, 'p', 'is found by its name');
  t.equal(selectionOf(pods, { fieldSelector: 'metadata.name!=p' }).name, undefined);
  t.same(selectionOf(pods, { namespace: 'n' }), { namespace: 'n' }, 'nothing to test means no test');
  t.throws(() => selectionOf(pods, { fieldSelector: 'spec.foo=x' }), {
    code: 400,
    message: 'field label not supported: spec.foo',
  });
});
