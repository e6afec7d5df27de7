import ora, { type Ora } from "ora"

/** Shows on stderr that something goes on. @param isSilent where the caller's own output has to stand alone, as with --json. */
export function startSpinner(text: string, isSilent = false): Ora {
  // A serial line tells a width of 0, on which ora would clear lines without end.
  const hasWidth = !process.stderr.isTTY || process.stderr.columns > 0
  return ora({ text, isSilent: isSilent || !hasWidth, discardStdin: false }).start()
}
