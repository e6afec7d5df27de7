import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { SECCOMP_PATH, SECCOMP_PROFILE } from "../../../src/runtime/container/seccomp.ts"

const allowed = SECCOMP_PROFILE.syscalls.filter(({ action }) => action === "SCMP_ACT_ALLOW")
const always = new Set(allowed.filter(({ args }) => args === undefined).flatMap(({ names }) => names))
const somehow = new Set(allowed.flatMap(({ names }) => names))

test("what is not named is refused, and the engine reads the same file", () => {
  expect(SECCOMP_PROFILE).toMatchObject({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1 })
  expect(JSON.parse(readFileSync(SECCOMP_PATH, "utf8"))).toEqual(SECCOMP_PROFILE)
})

test.each([
  ...["mount", "umount2", "pivot_root", "chroot", "fsopen", "move_mount", "open_tree", "mount_setattr"],
  ...["unshare", "setns", "clone3", "open_by_handle_at", "name_to_handle_at"],
  ...["ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp"],
  ...["bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key"],
  ...["init_module", "finit_module", "kexec_load", "reboot", "swapon", "acct", "quotactl", "syslog"],
  ...["clock_settime", "settimeofday", "sethostname", "iopl", "ioperm", "modify_ldt", "mq_open", "msgget"],
])("%s is never let through", call => {
  expect(somehow).not.toContain(call)
})

test.each(["clone", "socket", "mknod", "mknodat", "personality"])(
  "%s is let through with some arguments",
  call => {
    expect(somehow).toContain(call)
    expect(always).not.toContain(call)
  },
)
