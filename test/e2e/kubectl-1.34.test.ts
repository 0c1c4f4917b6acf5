import { kubectlScenarios } from './kubectl-scenarios.ts';

await kubectlScenarios('1.34');
