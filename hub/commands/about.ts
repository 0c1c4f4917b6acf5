/** What the program is, in a line. */
export const ABOUT = 'The hub of Holdfast, and the commands of its operators.';
