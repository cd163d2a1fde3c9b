#include "train/ranks/watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string_view>
#include <utility>

namespace ampgrad::train {
namespace {

constexpr char kOpen = 'o', kFollow = 'f', kSpeak = 's', kExpectEnd = 'e', kYes = 'y', kNo = 'n';

bool Send(int socket, std::string_view message) {
  return send(socket, message.data(), message.size(), MSG_NOSIGNAL) >= 0;
}

// The watcher's answer; without one `otherwise`.
char Ask(int socket, const std::string& question, char otherwise) {
  char answer;
  return Send(socket, question) && recv(socket, &answer, 1, 0) == 1 ? answer : otherwise;
}

// A socket, and the name of the job's watcher: one that is no file, and goes with its owner.
struct JobAddress {
  explicit JobAddress(const std::string& job) : socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    name.sun_family = AF_UNIX;
    const std::string text = std::string(1, '\0') + "ampgrad-" + job;
    const size_t length = std::min(text.size(), sizeof name.sun_path);
    std::copy_n(text.begin(), length, name.sun_path);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }

  int socket;
  sockaddr_un name = {};
  socklen_t size;
};

// Of the program only its error output is kept, and the socket, as number 3.
void LetGoOfProgram(int socket) {
  setsid();  // who kills a rank kills its group
  prctl(PR_SET_NAME, "ampgrad-watcher");
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  if (socket != 3) dup2(socket, 3);
  close_range(4, ~0U, 0);
}

// What the small process does: it takes messages until all who are connected have closed their sockets, as the kernel
// does for those that die. epoll in its edge-triggered mode queues sockets in the order in which they changed, and one
// from which a message was taken goes to the end of the queue. So the first that closes unexpectedly is the rank that
// died, and not one of those that were then killed.
class Watch {
 public:
  Watch() { Take(3); }

  void UntilAllHaveEnded() {
    epoll_event event;
    while (!ranks_.empty()) {
      if (epoll_wait(events_, &event, 1, -1) != 1) continue;
      if (event.data.fd == listener_) {
        Take(accept(listener_, nullptr, nullptr));
        Queue(EPOLL_CTL_MOD, listener_);
      } else {
        Hear(event.data.fd);
      }
    }
  }

 private:
  struct Rank {
    std::string name;  // "rank 1 (process 4711)"; empty until it follows
    bool expected = false;
  };

  void Take(int socket) {
    if (socket < 0) return;
    ranks_[socket] = {};
    Queue(EPOLL_CTL_ADD, socket);
  }

  // At the end, if there is something to take.
  void Queue(int how, int socket) {
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = socket;
    epoll_ctl(events_, how, socket, &event);
  }

  void Hear(int socket) {
    char buffer[256];
    const ssize_t size = recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) {
      Answer(socket, buffer[0], std::string(buffer + 1, static_cast<size_t>(size) - 1));
      Queue(EPOLL_CTL_MOD, socket);
    } else if (size == 0 || errno != EAGAIN) {
      End(socket);
    }
  }

  void Answer(int socket, char message, const std::string& words) {
    if (message == kExpectEnd) ranks_[socket].expected = true;
    if (message == kFollow) ranks_[socket].name = words;
    if (message == kFollow) Reply(socket, true);
    if (message == kOpen) Reply(socket, Open(words));
    if (message == kSpeak) Reply(socket, !std::exchange(said_, true));
  }

  void Reply(int socket, bool yes) { Send(socket, std::string_view(yes ? &kYes : &kNo, 1)); }

  bool Open(const std::string& job) {
    const JobAddress address(job);
    listener_ = address.socket;
    if (bind(listener_, address.get(), address.size) != 0 || listen(listener_, 1024) != 0) return false;
    fcntl(listener_, F_SETFL, O_NONBLOCK);
    Queue(EPOLL_CTL_ADD, listener_);
    return true;
  }

  void End(int socket) {
    const Rank& rank = ranks_[socket];
    if (!rank.expected && !rank.name.empty() && !std::exchange(said_, true)) {
      std::fprintf(stderr, "ampgrad: %s has died, and all ranks end; the last saved state is good\n",
                   rank.name.c_str());
    }
    ranks_.erase(socket);
    close(socket);
  }

  const int events_ = epoll_create1(0);
  int listener_ = -1;
  std::map<int, Rank> ranks_;  // by socket
  bool said_ = false;
};

}  // namespace

Watcher::Watcher() {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return;
  if (fork() == 0) {
    LetGoOfProgram(sockets[1]);
    Watch().UntilAllHaveEnded();
    _exit(0);
  }
  close(sockets[1]);
  socket_ = sockets[0];
}

Watcher::~Watcher() {
  ExpectEnd();
  close(socket_);
}

void Watcher::Open(const std::string& job) { Ask(socket_, kOpen + job, kNo); }

void Watcher::Follow(const std::string& job, int rank) {
  const JobAddress address(job);
  if (connect(address.socket, address.get(), address.size) == 0) {
    close(socket_);  // which ends the watcher of this process, unless it is that of the job
    socket_ = address.socket;
  } else {
    close(address.socket);
  }
  Ask(socket_, kFollow + ("rank " + std::to_string(rank) + " (process " + std::to_string(getpid()) + ")"), kNo);
}

// Without a watcher, rather twice than not at all.
bool Watcher::MaySpeak() { return Ask(socket_, std::string(1, kSpeak), kYes) == kYes; }

void Watcher::ExpectEnd() { Send(socket_, std::string_view(&kExpectEnd, 1)); }

}  // namespace ampgrad::train
