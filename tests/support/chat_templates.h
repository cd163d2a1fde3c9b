#pragma once

#include <string>

/// The texts of published chat templates.
namespace ampgrad {

/// The Jinja text of zephyr-7b-beta, which TinyLlama-1.1B-Chat-v1.0 shares.
inline const std::string kZephyrJinja =
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}";

inline const std::string kChatMlMessage =
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
inline const std::string kChatMlJinja = "{% for message in messages %}" + kChatMlMessage;
inline const std::string kChatMlDefinedJinja =
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}" + kChatMlJinja;
/// ChatML with a system message of its own, as Qwen2 has it, and SmolLM2.
inline std::string ChatMlWithSystem(const std::string& system) {
  return "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
         "{{ '<|im_start|>system\n" +
         system + "<|im_end|>\n' }}{% endif %}" + kChatMlMessage;
}
inline const std::string kQwen2Jinja = ChatMlWithSystem("You are a helpful assistant.");
inline const std::string kSmolLm2Jinja =
    ChatMlWithSystem("You are a helpful AI assistant named SmolLM, trained by Hugging Face");

/// The Jinja text of Llama-2-7b-chat-hf.
inline const std::string kLlama2Jinja =
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";

inline const std::string kLlama3Messages =
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}";
inline const std::string kLlama3Answer = "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}";
inline const std::string kLlama3Jinja =
    kLlama3Messages + "{% if add_generation_prompt %}" + kLlama3Answer + "{% endif %}";
inline const std::string kLlama3FirstJinja = kLlama3Messages + kLlama3Answer;

}  // namespace ampgrad
