import { chmod, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** What a stand-in `nvidia-smi` does on one call. */
export interface Play {
  stdout?: string
  stderr?: string
  exitCode?: number
  /** Seconds before it prints anything. */
  delayS?: number
  /** As with `-l` and `-lms` it prints again and again, after the pauses that the command line asks for: so many times, then it ends as told. */
  rounds?: number
  /** Printed at the very end, as it is. */
  lastWords?: string
  /** After printing it neither ends nor listens to a polite signal. */
  hangs?: boolean
  /** After printing it ends as a crash does. */
  crashes?: boolean
}

/** What nvidia-smi answers to an id or a field that it does not know. */
const REFUSAL: Play = { stdout: "Field or id is not a valid one to query.\n", exitCode: 2 }

/** The seconds that `-l` or `-lms` asks for. */
const PAUSE = `pause() {
  while [ $# -gt 1 ]; do
    case "$1" in
    -l) echo "$2" ;;
    -lms) echo "$(($2 / 1000)).$(printf %03d $(($2 % 1000)))" ;;
    esac
    shift
  done
}`

/**
 * Puts a program `nvidia-smi` into a folder that replays what is given for a command line (its arguments joined by
 * spaces; `--query-gpu` stands for any such query) and refuses all others. It notes its calls in `<folder>/calls` and their
 * process ids in `<folder>/pids`.
 */
export async function installNvidiaSmi(folder: string, plays: Record<string, Play>): Promise<string> {
  const cases = await Promise.all(
    Object.entries({ ...plays, "*": plays["*"] ?? REFUSAL }).map(async ([args, play], position) => {
      const files = [0, 1, 2].map(number => join(folder, `printed-${position}-${number}`))
      const texts = [play.stdout ?? "", play.stderr ?? "", play.lastWords ?? ""]
      await Promise.all(files.map((file, number) => writeFile(file, texts[number] ?? "")))
      // Nobody who reads any more ends it, as a broken pipe ends any program.
      const print = `cat '${files[0]}' || exit 141; cat '${files[1]}' >&2`
      const rounds = play.rounds ?? 1
      const pattern = args === "*" ? "*" : args === "--query-gpu" ? "--query-gpu=*" : `"${args}"`
      const actions = [
        play.delayS === undefined ? [] : [`sleep ${play.delayS}`],
        rounds === 1
          ? [print]
          : [`i=0; while [ $i -lt ${rounds} ]; do ${print}; i=$((i + 1)); sleep "$(pause "$@")"; done`],
        [`cat '${files[2]}'`],
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
    `echo $$ >> '${folder}/pids'`,
    PAUSE,
    'case "$*" in',
    ...cases,
    "esac",
    "",
  ]
  await writeFile(program, lines.join("\n"))
  await chmod(program, 0o755)
  return program
}
