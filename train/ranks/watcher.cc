#include "train/ranks/watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace ampgrad::train {
namespace {

constexpr char kFollow = 'f', kSpeak = 's', kExpectEnd = 'e';
constexpr unsigned kSecondsOfSilence = 3;  // in which those who kill the other ranks have done so

void Send(int socket, std::string_view message) {
  [[maybe_unused]] const ssize_t sent = send(socket, message.data(), message.size(), MSG_NOSIGNAL);
}

// Takes a name that one process of the machine can have, until it ends.
bool Claim(const std::string& job) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  const std::string text = std::string(1, '\0') + "ampgrad-" + job;  // no file: it goes with its owner
  const size_t length = std::min(text.size(), sizeof name.sun_path);
  std::copy_n(text.begin(), length, name.sun_path);
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  return socket >= 0 && bind(socket, reinterpret_cast<const sockaddr*>(&name), size) == 0;
}

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

[[noreturn]] void Watch(pid_t process) {
  std::string job, rank;
  bool expected = false, said = false;
  char buffer[256];
  ssize_t size;
  while ((size = recv(3, buffer, sizeof buffer, 0)) > 0) {
    const std::string message(buffer + 1, static_cast<size_t>(size) - 1);
    if (buffer[0] == kExpectEnd) expected = true;
    if (buffer[0] == kFollow) {
      rank = message.substr(0, message.find(' '));
      job = message.substr(message.find(' ') + 1);
    }
    if (buffer[0] == kSpeak) {
      said = Claim(job);
      Send(3, said ? "y" : "n");
    }
  }
  if (!expected && !said && !rank.empty() && Claim(job)) {
    std::fprintf(stderr, "ampgrad: rank %s (process %d) has died, and all ranks end; the last saved state is good\n",
                 rank.c_str(), static_cast<int>(process));
    said = true;
  }
  if (said) sleep(kSecondsOfSilence);
  _exit(0);
}

}  // namespace

Watcher::Watcher() {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return;
  const pid_t process = getpid();
  const pid_t watcher = fork();
  if (watcher == 0) {
    LetGoOfProgram(sockets[1]);
    Watch(process);
  }
  close(sockets[1]);
  socket_ = sockets[0];
}

Watcher::~Watcher() {
  ExpectEnd();
  close(socket_);
}

void Watcher::Follow(const std::string& job, int rank) { Send(socket_, kFollow + std::to_string(rank) + " " + job); }

bool Watcher::MaySpeak() {
  Send(socket_, std::string_view(&kSpeak, 1));
  char answer = 'y';  // without a watcher, rather twice than not at all
  [[maybe_unused]] const ssize_t size = recv(socket_, &answer, 1, 0);
  return answer == 'y';
}

void Watcher::ExpectEnd() { Send(socket_, std::string_view(&kExpectEnd, 1)); }

}  // namespace ampgrad::train
