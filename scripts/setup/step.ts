import { startSpinner } from "../../src/cli/spinner.ts"

/** Runs one step of the set-up with a spinner; `say` tells what it is doing right now. */
export async function step<T>(title: string, run: (say: (what: string) => void) => Promise<T>): Promise<T> {
  const started = Date.now()
  const spinner = startSpinner(`${title} …`)
  const elapsed = () => `${Math.round((Date.now() - started) / 1000)} s`
  const ticking = setInterval(() => {
    spinner.suffixText = elapsed()
  }, 1000)
  try {
    const value = await run(what => {
      spinner.text = `${title}: ${what} …`
    })
    clearInterval(ticking)
    spinner.suffixText = ""
    spinner.stopAndPersist({ symbol: "✔", text: `${title} (${elapsed()})` })
    return value
  } catch (error) {
    clearInterval(ticking)
    spinner.suffixText = ""
    spinner.stopAndPersist({ symbol: "✖", text: title })
    throw error
  }
}
