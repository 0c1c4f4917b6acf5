import { agentVersion } from '../version.ts';
import type { Command } from './command.ts';

/** `holdfast-agent version`, also `--version`. */
export const version: Command = async () => console.log(agentVersion());
