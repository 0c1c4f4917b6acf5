import { type Environment, Optional } from '@marcbachmann/cel-js';
import {
  labelNameErrors,
  labelValueErrors,
  qualifiedNameErrors,
  serviceNameErrors,
  subdomainNameErrors,
} from '../resources/names.ts';

class Format {
  readonly errors: (text: string) => readonly string[];

  constructor(errors: Format['errors']) {
    this.errors = errors;
  }
}

class FormatLibrary {}

const one = (isRight: (text: string) => boolean, why: string) => (text: string) =>
  isRight(text) ? [] : [why];
const prefix =
  (rule: Format['errors']) =>
  (text: string): readonly string[] =>
    rule(text.replace(/[-.]$/, 'a'));

/** By the name of the function that gives it: `format.dns1123Label()`. */
const FORMATS: Readonly<Record<string, Format>> = {
  dns1123Label: new Format(labelNameErrors),
  dns1123LabelPrefix: new Format(prefix(labelNameErrors)),
  dns1123Subdomain: new Format(subdomainNameErrors),
  dns1123SubdomainPrefix: new Format(prefix(subdomainNameErrors)),
  dns1035Label: new Format(serviceNameErrors),
  dns1035LabelPrefix: new Format(prefix(serviceNameErrors)),
  qualifiedName: new Format(qualifiedNameErrors),
  labelValue: new Format(labelValueErrors),
  uri: new Format(one((text) => URL.canParse(text) || text.startsWith('/'), 'invalid URI')),
  uuid: new Format(
    one(
      (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
      'does not match the UUID format',
    ),
  ),
  byte: new Format(one((text) => Buffer.from(text, 'base64').toString('base64') === text, 'invalid base64')),
  date: new Format(
    one((text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)), 'invalid date'),
  ),
  datetime: new Format(
    one((text) => /^\d{4}-\d{2}-\d{2}T.+/.test(text) && !Number.isNaN(Date.parse(text)), 'invalid datetime'),
  ),
};

/** Kubernetes' format library: what is wrong with a text, as an optional list. */
export function registerFormats(environment: Environment): void {
  environment.registerType('kubernetes.NamedFormat', Format);
  environment.registerType('FormatLibrary', FormatLibrary);
  environment.registerConstant('format', 'FormatLibrary', new FormatLibrary());
  for (const [name, format] of Object.entries(FORMATS))
    environment.registerFunction(`FormatLibrary.${name}(): kubernetes.NamedFormat`, () => format);
  environment.registerFunction('kubernetes.NamedFormat.validate(string): optional<list<string>>', validate);
}

function validate({ errors }: Format, text: string): unknown {
  const found = errors(text);
  return found.length > 0 ? Optional.of([...found]) : Optional.none();
}
