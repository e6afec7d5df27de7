import { chmod, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** What a stand-in `nvidia-smi` does on one call. */
export interface Play {
  stdout?: string
  stderr?: string
  exitCode?: number
  /** Seconds before it prints anything. */
  delayS?: number
  /** After printing it neither ends nor listens to a polite signal. */
  hangs?: boolean
  /** After printing it ends as a crash does. */
  crashes?: boolean
}

/** What nvidia-smi answers to an id or a field that it does not know. */
const REFUSAL: Play = { stdout: "Field or id is not a valid one to query.\n", exitCode: 2 }

/**
 * Puts a program `nvidia-smi` into a folder that replays what is given for a command line (its arguments joined by
 * spaces; `--query-gpu` stands for any such query) and refuses all others. It notes its calls in `<folder>/calls`.
 */
export async function installNvidiaSmi(folder: string, plays: Record<string, Play>): Promise<string> {
  const cases = await Promise.all(
    Object.entries({ ...plays, "*": plays["*"] ?? REFUSAL }).map(async ([args, play], position) => {
      const files = [join(folder, `stdout-${position}`), join(folder, `stderr-${position}`)] as const
      await writeFile(files[0], play.stdout ?? "")
      await writeFile(files[1], play.stderr ?? "")
      const pattern = args === "*" ? "*" : args === "--query-gpu" ? "--query-gpu=*" : `"${args}"`
      const actions = [
        play.delayS === undefined ? [] : [`sleep ${play.delayS}`],
        [`cat '${files[0]}'`, `cat '${files[1]}' >&2`],
        play.hangs ? ["sleep 600"] : [],
        play.crashes ? ["kill -SEGV $$"] : [`exit ${play.exitCode ?? 0}`],
      ].flat()
      return `${pattern}) ${actions.join("; ")};;`
    }),
  )
  const program = join(folder, "nvidia-smi")
  const lines = [
    "#!/bin/sh",
    "trap '' TERM",
    `echo "$*" >> '${folder}/calls'`,
    'case "$*" in',
    ...cases,
    "esac",
    "",
  ]
  await writeFile(program, lines.join("\n"))
  await chmod(program, 0o755)
  return program
}
