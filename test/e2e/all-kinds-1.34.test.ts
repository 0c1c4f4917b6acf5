import { allKindsScenarios } from './all-kinds-scenarios.ts';

await allKindsScenarios('1.34');
