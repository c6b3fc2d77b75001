/**
 * What shells run to complete a command line. Each asks `sluice __complete`, so nothing in them has to change with the commands.
 * Libraries for this (tabtab, omelette, @bomb.sh/tab) want the commands declared a second time, know no names that have to be waited
 * for, or need the package bash-completion.
 */

/** Shells that there is a script for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** One of them. */
export type Shell = (typeof SHELLS)[number];

/** bash takes `:` and `=` for ends of words, so what stands before them in the word is left out of the answer. */
const BASH = `# bash completion for sluice: eval "$(sluice completion bash)"
_sluice() {
  local line=\${COMP_LINE:0:COMP_POINT} words cur out directive prefix candidate rest
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  cur=\${words[\${#words[@]} - 1]}
  COMPREPLY=()
  out=$("\${words[0]/#\\~/$HOME}" __complete "\${words[@]:1}" 2>/dev/null) || return
  directive=\${out##*$'\\n'}
  out=\${out%"$directive"}
  prefix=\${cur%"\${cur##*[:=]}"}
  while IFS=$'\\t' read -r candidate rest; do
    [[ -n $candidate && $candidate == "$cur"* ]] && COMPREPLY+=("\${candidate#"$prefix"}")
  done <<<"$out"
  # :4 is no files.
  if (( \${directive#:} & 4 )); then compopt +o default 2>/dev/null; fi
  return 0
}
complete -o default -F _sluice sluice kubectl-sluice
`;

const ZSH = `#compdef sluice kubectl-sluice
# zsh completion for sluice: source <(sluice completion zsh), after compinit
_sluice() {
  local -a lines candidates
  local out line
  out=$("\${words[1]/#\\~/$HOME}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null) || return 1
  lines=("\${(@f)out}")
  for line in "\${(@)lines[1,-2]}"; do
    if [[ $line == *$'\\t'* ]]; then
      candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    else
      candidates+=("\${line//:/\\\\:}")
    fi
  done
  (( \${#candidates} )) && _describe sluice candidates && return 0
  # :4 is no files.
  (( \${lines[-1]#:} & 4 )) || _files
}
if [[ \${funcstack[1]} == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice kubectl-sluice; fi
`;

const FISH = `# fish completion for sluice: sluice completion fish | source
function __sluice_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l out ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    or return
    test (count $out) -gt 1; and printf '%s\\n' $out[1..-2]
    # :4 is no files.
    test "$out[-1]" = :0; and __fish_complete_path "$current"
end
complete -c sluice -f -a '(__sluice_complete)'
complete -c kubectl-sluice -f -a '(__sluice_complete)'
`;

/** By shell. */
export const SHELL_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
