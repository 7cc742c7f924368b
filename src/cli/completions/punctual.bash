# Completion of punctual for bash. What can be typed is asked of the program itself:
#   source <(punctual completions bash)
_punctual() {
    local IFS=$'\n' line
    local -a found=()
    while IFS= read -r line; do
        found+=("$line")
    done < <("${COMP_WORDS[0]}" complete bash "$COMP_CWORD" -- "${COMP_WORDS[@]}" 2>/dev/null)
    COMPREPLY=()
    case "${found[0]-}" in
        :files)
            compopt -o default 2>/dev/null
            ;;
        :folders)
            compopt -o dirnames 2>/dev/null
            ;;
        *)
            COMPREPLY=("${found[@]}")
            # A flag that ends in = and a list that goes on take their value at once.
            if [[ "${found[0]-}" == *[=,] ]]; then
                compopt -o nospace 2>/dev/null
            fi
            ;;
    esac
}
complete -o nosort -F _punctual punctual 2>/dev/null || complete -F _punctual punctual
