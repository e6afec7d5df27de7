import { Flags } from "@oclif/core"

/** Where the kernel tells about cards; a recorded copy of another machine's can be read instead. */
export const sysfsFlag = Flags.directory({
  description: "where sysfs is mounted, or a recorded copy of it lies",
  default: "/sys",
  exists: true,
  env: "ZG_SYSFS",
  helpValue: "DIR",
})
