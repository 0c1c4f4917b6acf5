import t from 'tap';
import { PrivateEngine } from '../support/engine.ts';
import { serviceNames } from './service-names-scenarios.ts';

const engine = new PrivateEngine(7);
await engine.start();
t.teardown(() => engine.close());

t.test('names of Services', (t) => serviceNames(t, engine));
