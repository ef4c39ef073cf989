/** What to tell a candidate whose microphone cannot be used: what happened, and what to do about it. */

/** @param {string} reason of a `MicrophoneError` @returns {{title: string, text: string}} */
export function microphoneAdvice(reason) {
  switch (reason) {
    case "insecure":
      return {
        title: "The browser allows no microphone on this address",
        text:
          "Microphones work on https addresses and on localhost only. Ask your educator for the share link, or open the " +
          "page on the computer that runs it. You can also type your answers.",
      };
    case "blocked":
      return {
        title: "This page is embedded without the microphone",
        text:
          'The page around it would have to allow it with allow="microphone". Open the viva in a tab of its own ' +
          `(${location.href}), or type your answers.`,
      };
    case "denied":
      return {
        title: "The microphone is not allowed",
        text:
          "Click the lock or camera sign beside the address, allow the microphone for this page, and try again. If it is " +
          "allowed there, look in the system's privacy settings. You can also type your answers.",
      };
    case "absent":
      return {
        title: "No microphone was found",
        text: "Plug one in, or switch your headset on, and try again. You can also type your answers.",
      };
    case "busy":
      return {
        title: "Another program is using the microphone",
        text: "Close the call or recording that holds it, and try again. You can also type your answers.",
      };
    default:
      return {
        title: "The microphone could not be opened",
        text: "Try again, or use another browser. You can also type your answers.",
      };
  }
}
