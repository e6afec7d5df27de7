import type { Isolation } from "../../protocol/proof.ts"
import type { Disks } from "../container/disks.ts"
import { PROFILES, type ProfileName } from "../container/policy.ts"

/** What an attempt is on, in the order in which people are told. */
export const GROUPS = {
  files: "the machine's files",
  kernelFiles: "the kernel's files",
  programs: "programs of its own",
  mounts: "mounts and namespaces",
  rights: "more rights",
  kernel: "the kernel's doors",
  network: "the network",
  sockets: "sockets of the machine",
  others: "other programs",
  secrets: "what the machine tells",
  limits: "more than was leased",
} as const

export type Group = keyof typeof GROUPS

/** What decides whether something that is open is a hole. */
export interface Setting {
  isolation: Isolation
  profile: ProfileName
  disks: Disks["kind"]
}

export interface Attempt {
  group: Group
  /** What is tried, as it follows "it tried to". */
  tries: string
  /** Why it is no hole where it is open; null where it is one. Absent: it always is one. */
  tolerated?: (setting: Setting, how: string) => string | null
  /** The argument without which there is nothing to try. */
  needs?: string
}

const always = (reason: string) => () => reason
const watched = ({ disks }: Setting) =>
  disks === "watched"
    ? "Without root the folder lies on your own file system; a program from there has no more rights than the image's own."
    : null
const onGvisor = ({ isolation }: Setting) =>
  isolation === "gvisor"
    ? "It is gVisor's own kernel that answers; the calls of that are filtered outside."
    : null

/** What the program tries, by the names that it prints. */
export const ATTEMPTS = {
  "host-file": { group: "files", tries: "read a file of the machine by every path out" },
  "host-file-handle": { group: "files", tries: "open a file by its number instead of its path" },
  "host-folders": { group: "files", tries: "find folders of the machine" },
  "spec-write": { group: "files", tries: "change its own spec" },
  "input-write": { group: "files", tries: "change an input" },
  "hard-link": { group: "files", tries: "give a file a second name where it may write" },
  "write-elsewhere": { group: "files", tries: "write outside of its four places" },
  "message-queue": {
    group: "limits",
    tries: "keep something in a message queue",
    tolerated: onGvisor,
  },
  "raw-devices": {
    group: "files",
    tries: "open disks, memory and other devices",
    tolerated: (setting, how) => (/^\/dev\/(fuse|net\/tun) /.test(how) ? onGvisor(setting) : null),
  },

  "proc-write": { group: "kernelFiles", tries: "open any file of /proc for writing" },
  "sys-write": { group: "kernelFiles", tries: "open any file of /sys for writing" },
  pressure: {
    group: "kernelFiles",
    tries: "ask the kernel to be told of stalls",
    tolerated: always("The kernel lets every user watch /proc/pressure; it shows load, and changes nothing."),
  },
  "core-pattern": { group: "kernelFiles", tries: "have the kernel run a program at a crash" },
  "cgroup-escape": { group: "kernelFiles", tries: "have the kernel run a program at a cgroup's end" },
  "kernel-secrets": { group: "kernelFiles", tries: "read the kernel's memory, log and keys" },

  "exec-tmp": {
    group: "programs",
    tries: "run what it wrote to /tmp",
    tolerated: ({ profile }) => (PROFILES[profile].tmp === "exec" ? PROFILES[profile].cost : null),
  },
  "exec-shm": { group: "programs", tries: "run what it wrote to /dev/shm" },
  "exec-out": { group: "programs", tries: "run what it wrote to /shard/out", tolerated: watched },
  "exec-checkpoint": {
    group: "programs",
    tries: "run what it wrote to /shard/checkpoint",
    tolerated: watched,
  },
  "exec-memory": {
    group: "programs",
    tries: "run a program that lies in memory alone",
    tolerated: always("Every program can make machine code in its own memory; it gains no right by that."),
  },

  mount: { group: "mounts", tries: "mount something" },
  "mount-anew": { group: "mounts", tries: "mount something the newer way" },
  remount: { group: "mounts", tries: "make a read-only mount writable" },
  unmount: { group: "mounts", tries: "take away what hides the kernel's memory" },
  "mount-propagation": { group: "mounts", tries: "find a mount that it shares with the machine" },
  "pivot-root": { group: "mounts", tries: "move to another root" },
  chroot: { group: "mounts", tries: "change its root" },
  "user-namespace": { group: "mounts", tries: "be root in a namespace of its own", tolerated: onGvisor },
  "new-namespaces": { group: "mounts", tries: "make other namespaces", tolerated: onGvisor },
  "enter-namespace": { group: "mounts", tries: "enter another process's namespaces" },

  "become-root": { group: "rights", tries: "become root" },
  "setuid-program": { group: "rights", tries: "become root through a set-uid program of its image" },
  "gain-capability": { group: "rights", tries: "gain a capability", tolerated: onGvisor },
  "make-device": {
    group: "rights",
    tries: "make the node of a disk",
    tolerated: (setting, how) => (how.startsWith("mknod(2) in /tmp ") ? onGvisor(setting) : null),
  },
  "set-clock": { group: "rights", tries: "set the machine's clock" },
  "rename-machine": { group: "rights", tries: "rename the machine" },
  reboot: { group: "rights", tries: "restart the machine" },

  keyctl: { group: "kernel", tries: "use the kernel's keyrings" },
  userfaultfd: { group: "kernel", tries: "handle page faults itself" },
  bpf: { group: "kernel", tries: "load a program into the kernel" },
  "perf-event": { group: "kernel", tries: "count what others do", tolerated: onGvisor },
  "io-uring": { group: "kernel", tries: "use io_uring", tolerated: onGvisor },
  "calls-of-32-bits": {
    group: "kernel",
    tries: "make the system calls of a 32-bit program",
    tolerated: onGvisor,
  },
  "kernel-module": { group: "kernel", tries: "load a kernel module" },
  kexec: { group: "kernel", tries: "load another kernel" },
  swap: { group: "kernel", tries: "switch swap on or off" },
  "hardware-ports": { group: "kernel", tries: "reach the hardware's ports" },
  "kernel-log": { group: "kernel", tries: "read the kernel's log", tolerated: onGvisor },
  accounting: { group: "kernel", tries: "switch accounting off" },
  quota: { group: "kernel", tries: "change quotas" },
  "watch-files": { group: "kernel", tries: "watch all files" },
  kcmp: { group: "kernel", tries: "compare what processes hold" },
  personality: { group: "kernel", tries: "have fixed addresses", tolerated: onGvisor },

  "machine-address": { group: "network", tries: "reach this machine's addresses", needs: "machine" },
  "machine-loopback": { group: "network", tries: "reach a port on this machine's loopback" },
  internet: { group: "network", tries: "reach the internet" },
  "metadata-address": { group: "network", tries: "reach a cloud's metadata address" },
  dns: { group: "network", tries: "ask a name server" },
  marketplace: { group: "network", tries: "reach the marketplace", needs: "market" },
  "lan-broadcast": { group: "network", tries: "reach everybody in the LAN" },
  "raw-socket": { group: "network", tries: "send raw packets" },
  "hypervisor-socket": { group: "network", tries: "open a socket to a hypervisor" },
  "rare-sockets": { group: "network", tries: "open sockets of which only the kernel's rare code knows" },

  "engine-socket": { group: "sockets", tries: "reach the engine's socket and others like it" },
  "machine-socket": { group: "sockets", tries: "reach sockets on which this machine listens" },

  "see-processes": { group: "others", tries: "see other processes" },
  "signal-processes": { group: "others", tries: "signal other processes" },
  "trace-processes": { group: "others", tries: "trace and read other processes" },
  "trace-init": {
    group: "others",
    tries: "trace the container's first process",
    tolerated: onGvisor,
  },
  "shared-memory": { group: "others", tries: "find shared memory of the machine", needs: "memory-key" },

  environment: { group: "secrets", tries: "find a variable that it was not given" },
  "learn-name-server": {
    group: "secrets",
    tries: "learn the address of the machine's name server",
  },
  "learn-folders": {
    group: "secrets",
    tries: "learn where its folders lie on the machine",
    tolerated: always(
      "The kernel names the source of each mount: the path is told, and leads nowhere inside.",
    ),
  },
  "learn-cgroup": { group: "secrets", tries: "learn where it stands among the machine's cgroups" },

  "outlive-others": {
    group: "limits",
    tries: "be ended after other programs when memory runs out",
    tolerated: onGvisor,
  },
  "spare-itself": {
    group: "limits",
    tries: "lower its score for when memory runs out",
    tolerated: always(
      "The kernel allows it where the engine lacks CAP_SYS_RESOURCE, as without root; its memory has a limit all the same.",
    ),
  },
  priority: { group: "limits", tries: "go before other programs", tolerated: onGvisor },
  "raise-limit": { group: "limits", tries: "raise a limit" },
} as const satisfies Record<string, Attempt>

export type AttemptName = keyof typeof ATTEMPTS
