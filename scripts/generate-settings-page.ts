import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_FILE as AGENT_FILE, SETTINGS } from '../agent/config.ts';
import { CONFIG_FILE as HUB_FILE, HUB_SETTINGS } from '../hub/config.ts';
import type { Setting, Settings } from '../proto/settings/settings.ts';

export const PAGE = join(import.meta.dirname, '../docs/settings.md');

const HEAD = `# Settings

<!-- Made by "npm run generate" of the tables in agent/config.ts and hub/config.ts. -->

Each program takes a setting from a flag, else from a variable of its environment, else from its file, else its default. The file is YAML, and need
not be there unless \`--config FILE\` (or the variable) names it:

\`\`\`yaml
# ${AGENT_FILE.path}
hub: hub.example:6444
transport: grpc
logLevel: warn
\`\`\`

A name that does not exist, or a value of another type, stops the program before it changes anything, with one line for each. What runs on a
device goes on running meanwhile. To look first, and for editors that know JSON Schema:

\`\`\`sh
holdfast-agent config check /etc/holdfast/agent.yaml
holdfast config check /etc/holdfast/hub.yaml
holdfast config schema > hub.schema.json
\`\`\`

A list or a mapping may be written as YAML has it, or as the flag has it, as one text. What is written as text only (\`systemReserved: "cpu=100m"\`) is read without
a parser of YAML, which costs a device 1.5 MiB for good:

\`\`\`yaml
systemReserved: {cpu: 100m, memory: 64Mi}
systemReserved: "cpu=100m,memory=64Mi"
\`\`\`

SIGHUP (\`systemctl reload\`) makes a program read its file again. Settings that are marked with ↻ are taken over at once; of the others the log says
that they wait for the next start. A file that is wrong changes nothing, and the log says why.
`;

/** The page of all settings of both programs. Pure. */
export function settingsPage(): string {
  return [
    HEAD,
    section('holdfast-agent', AGENT_FILE, SETTINGS),
    section('holdfast hub', HUB_FILE, HUB_SETTINGS),
  ].join('\n');
}

function section(program: string, file: typeof AGENT_FILE | typeof HUB_FILE, settings: Settings): string {
  const rows = Object.entries(settings).map(([name, setting]) => row(name, setting));
  return `## ${program}

File: \`${file.path}\`, another by \`--${file.flag} FILE\` or \`${file.env}\`.

| in the file | flag | environment | what | default |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

function row(
  name: string,
  { flag, env, about, type, oneOf, fallback, reloads, isOfCommands }: Setting,
): string {
  const inFile = isOfCommands ? 'of commands only' : `\`${name}\`${reloads ? ' ↻' : ''}`;
  const kinds = {
    integer: 'a whole number',
    boolean: 'true or false',
    list: 'a list; with commas outside of the file',
    words: 'a list; JSON outside of the file',
    map: 'a mapping; name=value with commas outside of the file',
  };
  const values = oneOf ? `: ${oneOf.map((each) => `\`${each}\``).join(', ')}` : '';
  const kind = type ? ` (${kinds[type]})` : '';
  const what = `${about}${kind}${values}`.replaceAll('|', '\\|');
  return `| ${inFile} | \`--${flag}\` | \`${env}\` | ${what} | ${fallback ? `\`${fallback}\`` : ''} |`;
}

if (import.meta.main) writeFileSync(PAGE, settingsPage());
