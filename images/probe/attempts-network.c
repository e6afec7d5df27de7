/* Attempts on the network and on the machine's sockets. */
#include "probe.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_LIMIT_MS 400

struct target {
  char transport[8], address[64], name[64];
  int port;
  struct sockaddr_storage where;
  socklen_t size;
  bool own;
};

/* An argument such as `tcp,192.0.2.1,22,the machine's address`. */
static bool parse_target(const char *text, struct target *target) {
  memset(target, 0, sizeof *target);
  if (sscanf(text, "%7[^,],%63[^,],%d,%63[^\n]", target->transport, target->address, &target->port, target->name) != 4) return false;
  struct sockaddr_in *four = (struct sockaddr_in *)&target->where;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&target->where;
  if (inet_pton(AF_INET, target->address, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons((unsigned short)target->port);
    target->size = sizeof *four;
    target->own = strncmp(target->address, "127.", 4) == 0;
    return true;
  }
  if (inet_pton(AF_INET6, target->address, &six->sin6_addr) != 1) return false;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons((unsigned short)target->port);
  target->size = sizeof *six;
  target->own = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
  return true;
}

/* A refusal from this container's own loopback came from nobody; any other answer came from outside, and so did silence after a start. */
static struct outcome judged_connection(const struct target *target, int error, bool left) {
  const char *name = error_name(error);
  if (target->own && error == ECONNREFUSED) return blocked("ECONNREFUSED by the container's own loopback, for %s", target->name);
  if (left) return opened("a packet left for %s (%s)", target->name, error == 0 ? "no answer yet" : name);
  if (error == ECONNREFUSED) return opened("%s answered with a refusal", target->name);
  return blocked("%s from connect(2) to %s", name, target->name);
}

static struct outcome connect_to(const struct target *target) {
  int end = socket(target->where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (end < 0) return judged(end, "socket(2)");
  if (connect(end, (const struct sockaddr *)&target->where, target->size) == 0) return opened("connected to %s", target->name);
  if (errno != EINPROGRESS) return judged_connection(target, errno, false);
  struct pollfd ready = {.fd = end, .events = POLLOUT};
  int error = 0;
  socklen_t size = sizeof error;
  if (poll(&ready, 1, CONNECT_LIMIT_MS) != 1) return judged_connection(target, 0, true);
  getsockopt(end, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? opened("connected to %s", target->name) : judged_connection(target, error, true);
}

static struct outcome send_to(const struct target *target) {
  int end = socket(target->where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (end < 0) return judged(end, "socket(2)");
  /* A question for the name `probe` as DNS asks it (RFC 1035, section 4). */
  static const char question[] = "zg\1\0\0\1\0\0\0\0\0\0\5probe\0\0\1\0\1";
  ssize_t sent = sendto(end, question, sizeof question - 1, 0, (const struct sockaddr *)&target->where, target->size);
  return sent >= 0 && !target->own ? opened("a packet left for %s", target->name) : blocked("%s from sendto(2) to %s", error_name(errno), target->name);
}

/* All targets of one kind of argument; the first that is reached, or the last refusal. */
static struct outcome reach(const struct told *about, const char *kind) {
  struct outcome outcome = untried("there is none to try");
  const char *text;
  for (int i = 0; (text = told(about, kind, i)) != NULL; i++) {
    struct target target;
    if (!parse_target(text, &target)) return untried("%.100s is no address", text);
    outcome = strcmp(target.transport, "udp") == 0 ? send_to(&target) : connect_to(&target);
    if (outcome.answer != BLOCKED) return outcome;
  }
  return outcome;
}

#define REACH(name, kind)                                \
  static struct outcome name(const struct told *about) { \
    return reach(about, kind);                           \
  }

REACH(machine, "machine")
REACH(machine_loopback, "loopback")
REACH(internet, "internet")
REACH(metadata, "metadata")
REACH(dns, "dns")
REACH(marketplace, "market")

static struct outcome everybody(const struct told *about) {
  (void)about;
  static const struct {
    const char *address, *name;
  } all[] = {{"255.255.255.255", "everybody in the LAN"}, {"224.0.0.251", "everybody who listens for mDNS"}};
  struct outcome outcome = untried("nothing was tried");
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(9)};
    inet_pton(AF_INET, all[i].address, &where.sin_addr);
    int end = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), yes = 1;
    if (end < 0) return judged(end, "socket(2)");
    setsockopt(end, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
    if (sendto(end, "", 0, 0, (struct sockaddr *)&where, sizeof where) >= 0) return opened("a packet left for %s", all[i].name);
    outcome = blocked("%s from sendto(2) to %s", error_name(errno), all[i].name);
    close(end);
  }
  return outcome;
}

static struct outcome raw_sockets(const struct told *about) {
  (void)about;
  struct outcome outcome = judged(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "socket(2) for raw packets");
  return outcome.answer == OPEN ? outcome : judged(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), "socket(2) for raw packets and frames");
}

/* A door from a virtual machine to the machine that it runs on, which no network namespace closes (vsock(7)). It is not gone through. */
static struct outcome hypervisor(const struct told *about) {
  (void)about;
  return judged(socket(AF_VSOCK, SOCK_STREAM, 0), "socket(2) of AF_VSOCK");
}

/* Code that few programs need, and that the kernel loads for whoever asks (socket(2)). */
static struct outcome rare_sockets(const struct told *about) {
  (void)about;
  static const struct { int domain, type, protocol; const char *name; } kinds[] = {
      {AF_ALG, SOCK_SEQPACKET, 0, "AF_ALG"}, {AF_KEY, SOCK_RAW, 2, "AF_KEY"}, {AF_RDS, SOCK_SEQPACKET, 0, "AF_RDS"},
      {AF_TIPC, SOCK_STREAM, 0, "AF_TIPC"}, {AF_BLUETOOTH, SOCK_RAW, 1, "AF_BLUETOOTH"}, {AF_NETLINK, SOCK_RAW, 12, "NETLINK_NETFILTER"},
      {AF_INET, SOCK_STREAM, 132, "SCTP"}, {AF_INET, SOCK_STREAM, 262, "MPTCP"}, {AF_INET, SOCK_DGRAM, 136, "UDP-Lite"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    int end = socket(kinds[i].domain, kinds[i].type | SOCK_CLOEXEC, kinds[i].protocol);
    if (end < 0) continue;
    close(end);
    return opened("socket(2) of %s went through", kinds[i].name);
  }
  return blocked("none of %zu kinds", sizeof kinds / sizeof *kinds);
}

/* ---- UNIX sockets ---- */

static int connect_unix(const char *path) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof where.sun_path) return ENOENT;
  memcpy(where.sun_path, path, length);
  /* A name without a place begins with a zero byte and has no end (unix(7)). */
  if (path[0] == '@') where.sun_path[0] = 0;
  int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (end < 0) return errno;
  int error = connect(end, (struct sockaddr *)&where, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0 ? 0 : errno;
  close(end);
  return error;
}

static struct outcome engine_sockets(const struct told *about) {
  (void)about;
  static const char *const paths[] = {"/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
                                      "/run/docker/containerd/containerd.sock", "/run/crio/crio.sock", "/run/dbus/system_bus_socket",
                                      "/run/systemd/private", "/run/nvidia-persistenced/socket", "/tmp/.X11-unix/X0", "@/tmp/.X11-unix/X0"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    int error = connect_unix(paths[i]);
    if (error == 0 || error == EPROTOTYPE) return opened("%s answers", paths[i]);
  }
  return blocked("none of %zu sockets is there", sizeof paths / sizeof *paths);
}

/* Sockets on which the machine really listens. */
static struct outcome host_sockets(const struct told *about) {
  const char *path;
  int error = 0;
  for (int i = 0; (path = told(about, "socket", i)) != NULL; i++) {
    error = connect_unix(path);
    if (error == 0 || error == EPROTOTYPE) return opened("a socket of the machine was reached (%.100s)", path);
  }
  return error == 0 ? untried("there is none to try") : blocked("%s from connect(2)", error_name(error));
}

const struct attempt network_attempts[] = {
    {"machine-address", machine},
    {"machine-loopback", machine_loopback},
    {"internet", internet},
    {"metadata-address", metadata},
    {"dns", dns},
    {"marketplace", marketplace},
    {"lan-broadcast", everybody},
    {"raw-socket", raw_sockets},
    {"hypervisor-socket", hypervisor},
    {"rare-sockets", rare_sockets},
    {"engine-socket", engine_sockets},
    {"machine-socket", host_sockets},
    {NULL, NULL},
};
