/** What the container wants cannot be made of what is here. The message names what is missing. */
export class ConfigurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigurationError';
  }
}
