// A link that takes its time, where the kernel has no netem: passes the frames that reach either of two interfaces on
// to the other, so many milliseconds later. It never loses, reorders or limits; a queueing discipline limits the rate.
//   delay INTERFACE INTERFACE MILLISECONDS

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Frame {
  Clock::time_point due;
  std::vector<char> bytes;
};

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// Frames come and go with the kernel's own header: checksums and segments that a sender has left to its card.
int Open(const char* interface) {
  const int socket = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
  const int on = 1, room = 1 << 26;
  sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (socket < 0 || address.sll_ifindex == 0) Fail(interface);
  if (setsockopt(socket, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0) Fail("PACKET_VNET_HDR");
  setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  if (bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Fail("bind");
  return socket;
}

void Receive(int socket, std::chrono::nanoseconds delay, std::deque<Frame>& queue) {
  static std::vector<char> buffer(1 << 17);
  while (true) {
    sockaddr_ll from = {};
    socklen_t length = sizeof from;
    const ssize_t size = recvfrom(socket, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 0) return;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;  // what was sent here itself
    queue.push_back({Clock::now() + delay, {buffer.begin(), buffer.begin() + size}});
  }
}

void SendDue(int socket, std::deque<Frame>& queue) {
  for (; !queue.empty() && queue.front().due <= Clock::now(); queue.pop_front()) {
    if (send(socket, queue.front().bytes.data(), queue.front().bytes.size(), 0) < 0) std::perror("send");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int sockets[2] = {Open(argv[1]), Open(argv[2])};
  const auto delay = std::chrono::nanoseconds(static_cast<int64_t>(std::atof(argv[3]) * 1e6));
  std::deque<Frame> queues[2];  // from sockets[i] to the other
  while (true) {
    auto next = Clock::now() + std::chrono::seconds(1);
    for (const auto& queue : queues) {
      if (!queue.empty()) next = std::min(next, queue.front().due);
    }
    const auto wait = std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(next - Clock::now()));
    const timespec timeout = {wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
    pollfd polled[2] = {{sockets[0], POLLIN, 0}, {sockets[1], POLLIN, 0}};
    ppoll(polled, 2, &timeout, nullptr);
    for (int i = 0; i < 2; ++i) Receive(sockets[i], delay, queues[i]);
    for (int i = 0; i < 2; ++i) SendDue(sockets[1 - i], queues[i]);
  }
}
