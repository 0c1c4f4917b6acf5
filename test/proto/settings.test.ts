import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { loadAll } from 'js-yaml';
import t from 'tap';
import { checkFile, schemaText } from '../../proto/settings/config-command.ts';
import { readPlainYaml } from '../../proto/settings/plain-yaml.ts';
import { changesOf } from '../../proto/settings/reload.ts';
import { entriesOf, readSettings, type Settings } from '../../proto/settings/settings.ts';
import { readSettingsFile } from '../../proto/settings/settings-file.ts';
import { schemaOfSettings } from '../../proto/settings/settings-schema.ts';

const SETTINGS = {
  dataDir: { flag: 'data-dir', env: 'T_DATA_DIR', about: 'where', fallback: '/var' },
  apiPort: {
    ...{ flag: 'api-port', env: 'T_API_PORT', about: 'a port', type: 'integer', fallback: '6443' },
    check: (value) => (/^\d+$/.test(value) ? undefined : 'must be a port'),
  },
  tlsSan: { flag: 'tls-san', env: 'T_TLS_SAN', about: 'names', type: 'list' },
  reboot: { flag: 'reboot', env: 'T_REBOOT', about: 'a command', type: 'words' },
  level: { flag: 'level', env: 'T_LEVEL', about: 'much', oneOf: ['info', 'warn'], reloads: true },
  output: { flag: 'output', env: 'T_OUTPUT', about: 'form', fallback: 'text', isOfCommands: true },
} as const satisfies Settings;

const fileOf = (values: Record<string, unknown>) => ({ path: '/etc/t.yaml', values });
const NOTHING = { flags: {}, env: {} };

t.test('a flag wins over the environment, that over the file, that over the default', async (t) => {
  const file = fileOf({ dataDir: '/file', tlsSan: ['a', 'b'], apiPort: 1, reboot: ['sh', '-c', 'x,y'] });
  const env = { T_DATA_DIR: '/env', T_LEVEL: '' };
  t.same(readSettings(SETTINGS, { flags: { 'data-dir': '/flag' }, env, file }), {
    ...{ dataDir: '/flag', apiPort: '1', tlsSan: 'a,b', reboot: '["sh","-c","x,y"]' },
    ...{ level: undefined, output: 'text' },
  });
  t.equal(readSettings(SETTINGS, { flags: {}, env, file }).dataDir, '/env');
  t.equal(readSettings(SETTINGS, { ...NOTHING, file }).dataDir, '/file');
  t.equal(readSettings(SETTINGS, NOTHING).dataDir, '/var');
});

t.test('mappings', async (t) => {
  const MAPS = { map: { flag: 'map', env: 'T_MAP', about: 'm', type: 'map', fallback: 'a=1' } } as const;
  const read = (map: unknown) => readSettings(MAPS, { ...NOTHING, file: fileOf({ map }) }).map ?? '';
  t.same(entriesOf(read(undefined)), [['a', '1']]);
  t.same(entriesOf(read({})), [], 'nothing instead of the default');
  const rows: [unknown, [string, string][]][] = [
    [
      { cpu: '100m', pid: 5 },
      [
        ['cpu', '100m'],
        ['pid', '5'],
      ],
    ],
    [
      { 'a/b': ['/x*', '/y'], c: 'v.com/d=e' },
      [
        ['a/b', '/x*'],
        ['a/b', '/y'],
        ['c', 'v.com/d=e'],
      ],
    ],
    [
      'memory.available<5%, nodefs.available = 1Gi',
      [
        ['memory.available', '5%'],
        ['nodefs.available', '1Gi'],
      ],
    ],
  ];
  for (const [written, entries] of rows) t.same(entriesOf(read(written)), entries);
  for (const wrong of [{ a: { b: 'c' } }, { a: true }, { a: 'x,y' }, { a: '' }, { 'a=b': 'c' }, 5, [1]])
    t.throws(
      () => read(wrong),
      { message: /map must be a mapping of names to texts/ },
      JSON.stringify(wrong),
    );
  t.throws(() => read('a'), { message: /map must be name=value, with commas, is "a"/ });
  t.match(schemaOfSettings(MAPS, 'T'), {
    properties: { map: { anyOf: [{ type: 'object' }, { type: 'string' }], default: { a: '1' } } },
  });
});

t.test('what is wrong is told, all at once, and where it was said', async (t) => {
  const rows: [Record<string, unknown>, RegExp][] = [
    [{ datadir: '/x' }, /"\/etc\/t.yaml": no setting is called "datadir": is dataDir meant\?/],
    [{ 'data-dir': '/x' }, /is dataDir meant/],
    [{ color: 'red' }, /there are dataDir, apiPort, tlsSan, reboot, level$/],
    [{ output: 'json' }, /no setting is called "output"/],
    [{ dataDir: 5 }, /dataDir must be text .*, is 5$/],
    [{ apiPort: '1' }, /apiPort must be a whole number, is "1"/],
    [{ apiPort: 1.5 }, /apiPort must be a whole number, is 1.5/],
    [{ apiPort: -1 }, /apiPort must be a port, is -1/],
    [{ tlsSan: [1] }, /tlsSan must be a list of texts, is \[1\]/],
    [{ reboot: 'sh' }, /reboot must be a list of texts, is "sh"/],
    [{ level: 'loud' }, /level must be one of info, warn, is "loud"/],
  ];
  for (const [values, message] of rows)
    t.throws(() => readSettings(SETTINGS, { ...NOTHING, file: fileOf(values) }), { message });
  const flags = { level: 'loud', reboot: 'sh -c' };
  t.throws(() => readSettings(SETTINGS, { flags, env: { T_API_PORT: 'x' }, file: fileOf({ a: 1 }) }), {
    message:
      /a".*\n--api-port \(T_API_PORT\) must be a port, is "x"\n--reboot .* JSON array.*\n--level \(T_LEVEL\) must be one of/,
  });
});

t.test('files', async (t) => {
  const dir = t.testdir({ folder: {} });
  const path = join(dir, 't.yaml');
  t.equal(await readSettingsFile(path, false), undefined);
  t.equal(await readSettingsFile(join(dir, 'none', 't.yaml'), false), undefined);
  await t.rejects(readSettingsFile(path, true), { message: /can not be read: name a file that is there/ });
  await t.rejects(readSettingsFile(join(dir, 'folder'), false), { message: /can not be read/ });
  const rows: [string, RegExp | object][] = [
    ['', {}],
    ['# nothing\n', {}],
    ['level: info\nlist: [a]\n', { level: 'info', list: ['a'] }],
    ['- a\n', /must be a mapping/],
    ['just text', /must be a mapping/],
    ['a: 1\n---\nb: 2\n', /must be one YAML document, is 2/],
    ['a: 1\nb: [\n', /is no YAML: line \d, column \d/],
    ['a: 1\na: 2\n', /duplicated mapping key/],
    [`a: ${'x'.repeat(1_100_000)}`, /longer than 1 MiB/],
  ];
  for (const [text, wanted] of rows) {
    writeFileSync(path, text);
    if (wanted instanceof RegExp) await t.rejects(readSettingsFile(path, true), { message: wanted });
    else t.same((await readSettingsFile(path, true))?.values, wanted);
  }
});

t.test('plain files are read as a parser of YAML reads them, or not at all', async (t) => {
  t.same(
    readPlainYaml('# c\nhub: hub.example:6444\n\nport: 80 # why\ndir: /var/lib/x\nrun: "/a b: #c" # d\n'),
    {
      ...{ hub: 'hub.example:6444', port: 80, dir: '/var/lib/x', run: '/a b: #c' },
    },
  );
  t.same(readPlainYaml(''), {});
  const others = [
    'a: yes',
    'a: 010',
    'a: [b]',
    'a: "b',
    'a: "b\\n"',
    'a: "b" c',
    'a:',
    'a: b: c',
    'a: b:',
    ' a: b',
    'a: b\na: c',
    '---\na: b',
  ];
  for (const text of [
    ...others,
    'a: 1.5',
    'a: -1',
    'a: b c',
    'a: b#c',
    'a: *b',
    'a: &b c',
    'a: 2026-01-01',
    'a\n: b',
  ])
    t.equal(readPlainYaml(text), undefined, text);
  const piece = fc.constantFrom(
    ...[
      'a',
      'b',
      ': ',
      ':',
      ' ',
      '\n',
      '#',
      ' # ',
      '0',
      '1',
      '12',
      '/',
      '-',
      '.',
      '@',
      'true',
      'No',
      '~',
      'é',
      '"',
      "'",
    ],
    ...[
      '[',
      '{',
      '&',
      '*',
      '!',
      '|',
      '>',
      '%',
      '\t',
      '\r',
      ',',
      '---',
      '...',
      'null',
      '0x1',
      '1e3',
      '_',
      '<<',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      const plain = readPlainYaml(text);
      if (plain === undefined) return true;
      const [parsed = {}] = loadAll(text).map((each) => each ?? {});
      return isDeepStrictEqual({ ...plain }, { ...(parsed as object) });
    }),
    { numRuns: 20_000 },
  );
});

t.test('the schema says what the table says', async (t) => {
  t.match(schemaOfSettings(SETTINGS, 'T'), {
    ...{ title: 'T', type: 'object', additionalProperties: false },
    properties: {
      dataDir: { description: 'where', type: 'string', default: '/var' },
      apiPort: { type: 'integer', default: 6443 },
      tlsSan: { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'string' }] },
      reboot: { type: 'array', minItems: 1 },
      level: { enum: ['info', 'warn'] },
      output: undefined,
    },
  });
});

t.test('what changes at once, and what with the next start', async (t) => {
  const read = (values: Record<string, unknown>) =>
    readSettings(SETTINGS, { ...NOTHING, file: fileOf(values) });
  const before = read({ level: 'info', apiPort: 1 });
  t.same(changesOf(SETTINGS, before, before), { reloaded: [], needRestart: [] });
  t.same(changesOf(SETTINGS, before, read({ level: 'warn', apiPort: 2, dataDir: '/x' })), {
    reloaded: ['level'],
    needRestart: ['dataDir', 'apiPort'],
  });
});

t.test('config check and config schema', async (t) => {
  const path = join(t.testdir(), 't.yaml');
  await t.rejects(checkFile(SETTINGS, path), { message: /t.yaml" can not be read/ });
  writeFileSync(path, 'level: info\n');
  t.equal(await checkFile(SETTINGS, path), `"${path}" is right: 1 setting`);
  writeFileSync(path, 'level: loud\napiPort: 80\n');
  await t.rejects(checkFile(SETTINGS, path), { message: /level must be one of info, warn, is "loud"/ });
  t.equal((JSON.parse(schemaText(SETTINGS, 'T')) as { title: string }).title, 'T');
});
