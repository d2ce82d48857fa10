# In Slicer this place writes the extension's description; here it checks that there is something to write.
foreach(field HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if(NOT EXTENSION_${field})
    message(FATAL_ERROR "EXTENSION_${field} is not set")
  endif()
endforeach()
execute_process(
  COMMAND ${SLICER_HOST_PYTHON} ${SlicerHost_DIR}/list_files.py --check --project ${CMAKE_SOURCE_DIR}
  RESULT_VARIABLE disagreements
  ERROR_VARIABLE lines
  )
if(disagreements)
  message(FATAL_ERROR "CMake lists and files disagree (make cmake-lists):\n${lines}")
endif()
