import { stageCommand } from '../update/stage-command.ts';
import type { Command } from './command.ts';

/** `holdfast-agent stage-release`: what an agent runs to have another version fetched. */
export const stageRelease: Command = () => stageCommand();
