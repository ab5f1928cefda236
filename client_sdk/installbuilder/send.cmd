@echo off
rem Sends one usage report of an installer, or remembers a "no", on Windows. The twin of send.sh, which says what it
rem takes and whom it obeys; README.md tells the rest. Reviewed, never run: no Windows was at hand.
rem
rem Values come from the environment and are looked at before use: `set NAME` prints them without reading them, and
rem what has not the form of its field is left out. A licence key goes from standard input into curl and through no
rem variable: here, every variable is in the environment of every program that is started.
setlocal enableextensions enabledelayedexpansion
set "find=%SystemRoot%\System32\findstr.exe"
set "state=%LOCALAPPDATA%\telemetry-client"

if "!TELEMETRY_INSTALLER_ANSWER!"=="no" goto remember_no
if not "!TELEMETRY_INSTALLER_ANSWER!"=="yes" exit /b 0

rem --- who forbids: whatever is set and does not clearly say on counts as off ---
call :value_is TELEMETRY "on 1 true yes enabled" || exit /b 0
for %%V in (DO_NOT_TRACK CI CONTINUOUS_INTEGRATION GITHUB_ACTIONS GITLAB_CI BUILDKITE CIRCLECI TRAVIS APPVEYOR DRONE SEMAPHORE TF_BUILD JENKINS_URL TEAMCITY_VERSION CODEBUILD_BUILD_ID BITBUCKET_BUILD_NUMBER) do (
    call :value_is %%V "0 false" || exit /b 0
)
for %%F in ("\etc\telemetry-client\config" "\etc\telemetry-client\image") do (
    call :file_allows %%F "telemetry" || exit /b 0
)
if defined TELEMETRY_CONFIG (
    call :file_allows "!TELEMETRY_CONFIG!" "telemetry" || exit /b 0
)
for %%D in (LOCALAPPDATA XDG_STATE_HOME) do if defined %%D (
    call :file_allows "!%%D!\telemetry-client\consent" "choice" || exit /b 0
    if exist "!%%D!\telemetry-client\stopped" exit /b 0
)
if defined TELEMETRY_STATE_DIR (
    call :file_allows "!TELEMETRY_STATE_DIR!\consent" "choice" || exit /b 0
    if exist "!TELEMETRY_STATE_DIR!\stopped" exit /b 0
)

rem --- the programs and the address ---
rem A 32-bit installer sees another System32; there, Sysnative is the real one.
set "curl=%SystemRoot%\Sysnative\curl.exe"
if not exist "!curl!" set "curl=%SystemRoot%\System32\curl.exe"
if not exist "!curl!" exit /b 0
rem A line that does not begin with a name is the second line of some value.
set TELEMETRY_INSTALLER_ 2>nul | "%find%" /v /b /c:"TELEMETRY_INSTALLER_" >nul && exit /b 0
call :has_form TELEMETRY_INSTALLER_URL "https://[0-9A-Za-z][-0-9A-Za-z._~:/]*" || exit /b 0

rem --- the report ---
call :has_form TELEMETRY_INSTALLER_PRODUCT "[a-z][-a-z0-9]*" || exit /b 0
call :has_form TELEMETRY_INSTALLER_PRODUCT_VERSION "[0-9][-0-9A-Za-z.+~_]*" || exit /b 0
set "version=!TELEMETRY_INSTALLER_PRODUCT_VERSION:+=%%2B!"
set "body=product=!TELEMETRY_INSTALLER_PRODUCT!&product_version=!version!"
call :has_form TELEMETRY_INSTALLER_OS_VERSION "[a-z][-a-z0-9._]*" && set "body=!body!&os_version=!TELEMETRY_INSTALLER_OS_VERSION!"
call :has_form TELEMETRY_INSTALLER_LANGUAGE "[a-z][-A-Za-z0-9]*" && set "body=!body!&language=!TELEMETRY_INSTALLER_LANGUAGE!"
set "target=!TELEMETRY_INSTALLER_URL!/v1/reports/installbuilder-run/1"
set "options=-q -sS -o NUL --proto =https --proto-redir =https --max-redirs 0 --connect-timeout 3 -m 8 -A product-telemetry/1 -H Accept:"
if "%~1"=="--license-key-stdin" (
    start "" /b "!curl!" !options! --data-raw "!body!" --data-urlencode license_key@- "!target!" >nul 2>nul
) else (
    start "" /b "!curl!" !options! --data-raw "!body!" "!target!" <nul >nul 2>nul
)
exit /b 0

:remember_no
if not defined LOCALAPPDATA exit /b 0
if not exist "!state!" mkdir "!state!" >nul 2>nul
del /q "!state!\outbox\*.json" >nul 2>nul
(
    echo choice = off
    echo chosen_at = 0
) >"!state!\.telemetry-no" 2>nul && move /y "!state!\.telemetry-no" "!state!\consent" >nul 2>nul
exit /b 0

rem Whether variable %1 is not set or is one of the words %2.
:value_is
if not defined %1 exit /b 0
for %%W in (%~2) do if /i "!%1!"=="%%W" exit /b 0
exit /b 1

rem Whether file %1 is not there or has no line but comments, addresses and `%2 = on`. `more` ends lines as findstr
rem wants them. A stored choice that holds no choice counts as off.
:file_allows
if not exist "%~1" exit /b 0
type "%~1" >nul 2>nul || exit /b 1
if "%~2"=="choice" "%find%" /i /c:"choice" "%~1" >nul 2>nul || exit /b 1
"%SystemRoot%\System32\more.com" "%~1" 2>nul | "%find%" /v /i /r /c:"^ *$" /c:"^ *#" /c:"^ *%~2 *= *on *$" /c:"^ *chosen_at *= *[0-9]* *$" /c:"^ *url *= *https:[^ ]*$" >nul
if "!errorlevel!"=="1" exit /b 0
exit /b 1

rem Whether variable %1 has the form %2 and nothing else.
:has_form
if not defined %1 exit /b 1
set %1 2>nul | "%find%" /r /x /c:"%1=%~2" >nul || exit /b 1
exit /b 0
