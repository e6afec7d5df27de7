import { execa } from "execa"

/** A program with its arguments. */
export type Command = readonly [program: string, ...args: string[]]

/** Mounting needs a moment; a machine where it takes longer does not do it. */
const TRY_LIMIT_MS = 10_000

/**
 * Binds each file over itself without the right to open devices (mount(8), `nodev`), then becomes the command. A driver finds such a file and is
 * not let in, as in a container that was not given the device: a card that it knows how to leave out.
 */
const SCRIPT = `until [ "$1" = -- ]; do
  mount --bind "$1" "$1" && mount -o remount,bind,nodev "$1" || exit 75
  shift
done
shift
exec "$@"`

/**
 * The command in a mount namespace of its own in which these device files cannot be opened. Nothing changes outside, nothing is left when it
 * ends, and its process id is the command's.
 * @param isRoot others than root get a user namespace too, in which they may mount.
 */
export function sealed(command: Command, files: readonly string[], isRoot: boolean): Command {
  const asRoot = isRoot ? [] : ["--map-root-user"]
  return ["unshare", "--mount", ...asRoot, "--", "sh", "-c", SCRIPT, "sh", ...files, "--", ...command]
}

/** Whether this system lets the agent do it: not all have `unshare`, and some forbid user namespaces. */
export async function canSeal(
  files: readonly string[],
  isRoot: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const [program, ...args] = sealed(["true"], files, isRoot)
  const { failed } = await execa(program, args, {
    cancelSignal: signal,
    timeout: TRY_LIMIT_MS,
    reject: false,
    stdio: "ignore",
  })
  signal.throwIfAborted()
  return !failed
}
