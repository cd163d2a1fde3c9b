#include "train/report/stepper.h"

#include "train/report/html.h"

namespace ampgrad::report {

std::string Steps(const std::vector<Step>& steps) {
  std::string html =
      "<p class=\"stepper\" hidden><button type=\"button\" data-by=\"-1\" aria-label=\"the step before\">←</button> "
      "<output></output> <button type=\"button\" data-by=\"1\" aria-label=\"the next step\">→</button> "
      "<button type=\"button\" data-by=\"0\" aria-pressed=\"false\">all steps</button></p>\n<ol class=\"steps\">\n";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    html += "<li id=\"step-" + number + "\"><h3>" + number + ". " + Escape(steps[i].heading) + "</h3>\n" +
            steps[i].body + "</li>\n";
  }
  return html + "</ol>\n";
}

const char* const kStepScript = R"js(
'use strict';
const steps = [...document.querySelectorAll('.steps > li')], stepper = document.querySelector('.stepper');
const every = stepper.querySelector('[data-by="0"]');
let at = 0, all = false;
function show(index) {
  at = Math.min(Math.max(index, 0), steps.length - 1);
  steps.forEach((step, i) => {
    step.classList.toggle('away', !all && i !== at);
    step.classList.toggle('now', i === at);
  });
  stepper.querySelector('output').textContent = `${at + 1} of ${steps.length}`;
  every.setAttribute('aria-pressed', all);
  for (const mark of document.querySelectorAll('.of-step')) {
    const now = Number(mark.dataset.step) === at + 1, box = mark.closest('.scroll');
    mark.classList.toggle('now', now);
    if (now && box) box.scrollTop = mark.offsetTop - box.clientHeight / 2;
  }
}
function go(index) {
  show(index);
  history.replaceState(null, '', `#step-${at + 1}`);
  if (all) steps[at].scrollIntoView({block: 'nearest'});
}
const fromHash = () => /^#step-\d+$/.test(location.hash) ? Number(location.hash.slice(6)) - 1 : at;
stepper.addEventListener('click', event => {
  const by = event.target.dataset.by;
  if (by === undefined) return;
  if (by === '0') all = !all;
  go(at + Number(by));
});
document.addEventListener('keydown', event => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1}[event.key];
  if (to === undefined || event.target.closest('input, select, textarea')) return;
  event.preventDefault();
  go(to);
});
document.addEventListener('click', event => {
  const link = event.target.closest('a[href^="#step-"]');
  if (!link) return;
  event.preventDefault();
  go(Number(link.hash.slice(6)) - 1);
  stepper.scrollIntoView({block: 'nearest'});
});
window.addEventListener('hashchange', () => show(fromHash()));
stepper.hidden = false;
show(fromHash());
)js";

}  // namespace ampgrad::report
